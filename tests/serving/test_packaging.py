"""What an installation without the extra `train` can do: translate, serve and evaluate without torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import commands, toy

from distilmt.evaluation.quality import score
from distilmt.inference.translator import Translator

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).parents[2]
_HIDDEN = """
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
_SERVE = """
import asyncio, httpx, pathlib
from distilmt.config.commands import ServeConfig
from distilmt.serving.server import build

app = build(ServeConfig(["en-it={model}"], threads=1))

async def translate():
    transport = httpx.ASGITransport(app.state.middleware)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        request = {{"source": "auto", "target": "it"}}
        response = await client.post("/translate", json=request | {{"q": {text!r}}})
        print(response.json()["translatedText"])
        for name in {names!r}:
            content = {{"file": (name, pathlib.Path({documents!r}, name).read_bytes())}}
            response = await client.post("/translate_file", data=request | {{"source": "en"}}, files=content)
            assert response.status_code == 200, (name, response.text)

asyncio.run(translate())
"""
_MODULES = {
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "markdown-it-py": "markdown_it",
    "huggingface-hub": "huggingface_hub",
}


def packages(*extras: str) -> set[str]:
    """Modules of the packages that pyproject.toml requires, with some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirements in lists for requirement in requirements}
    return {_MODULES.get(name, name.replace("-", "_")) for name in names}


def run_without(absent: set[str], program: str) -> list[str]:
    """Output lines of a program in a Python that does not have the packages."""
    code = _HIDDEN.format(absent=absent) + program
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=commands.environment())
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.splitlines()


@pytest.fixture(scope="module")
def text():
    return toy.pairs(1, seed=5)[0][0]


def test_torch_belongs_to_training():
    assert {"torch", "transformers", "pyarrow", "safetensors", "huggingface_hub"} <= packages("train")
    assert not packages("train") - packages() & packages("serve", "documents")
    assert packages() >= {"ctranslate2", "sacrebleu", "sentencepiece", "yaml"}


def test_the_core_translates_and_evaluates(exported_model, tmp_path, text):
    """Without any package of an extra: the command, a page and a subtitle file, the Python API."""
    absent = packages("train", "serve", "documents", "classify", "huggingface") - packages()
    assert {"torch", "transformers", "fastapi", "markdown_it"} <= absent
    (tmp_path / "page.html").write_text(f"<p>{text}</p>")
    (tmp_path / "film.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n")
    lines = run_without(
        absent,
        f"""
import distilmt
from distilmt.cli import main
assert main(["translate", {str(exported_model)!r}, "--text", {text!r}]) == 0
for name in ("page.html", "film.srt"):
    arguments = ["translate", {str(exported_model)!r}, f"{tmp_path}/{{name}}", "--output", "{tmp_path}/out/", "--quiet"]
    assert main(arguments) == 0
print(distilmt.Translator({str(exported_model)!r}).translate({text!r}))
print(distilmt.evaluate(["a b c d e"], ["a b c d f"]).scores.chrf)
""",
    )
    expected = Translator(exported_model).translate([text])[0]
    assert lines == [expected, expected, str(score(["a b c d e"], ["a b c d f"], "en").chrf)]
    assert expected in (tmp_path / "out" / "page.html").read_text()
    assert expected in (tmp_path / "out" / "film.srt").read_text()


def test_serving_needs_its_extras_only(tmp_path, exported_model, text):
    documents = {
        "a.md": "# Ban der.\n",
        "a.po": 'msgid ""\nmsgstr ""\n\nmsgid "Ban."\nmsgstr ""\n',
        "a.html": "<p>Ban</p>",
    }
    for name, content in documents.items():
        (tmp_path / name).write_text(content)
    absent = packages("train", "classify", "huggingface", "onnx") - packages("serve", "documents")
    program = _SERVE.format(model=exported_model, text=text, names=list(documents), documents=str(tmp_path))
    assert run_without(absent, program) == [Translator(exported_model).translate([text])[0]]


def test_names_that_train_are_one_line_without_it(tmp_path):
    """A program sees which package is missing, and the extra that has it."""
    lines = run_without(
        packages("train") - packages(),
        """
import distilmt
for use in (
    lambda: distilmt.DistillationLoss,
    lambda: distilmt.LabelStore,
    lambda: distilmt.distill(teacher="x", text="y", pair="en-it"),
):
    try:
        use()
    except distilmt.UserError as error:
        print(error)
""",
    )
    assert [line.partition(" needs ")[0] for line in lines] == [
        "distilmt.DistillationLoss",
        "distilmt.LabelStore",
        "distilmt.distill",
    ]
    assert all("pip install '.[train]' in a clone" in line for line in lines)


def test_training_without_its_extra_is_one_line(tmp_path):
    """The line names the package and the extra."""
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, 60))
    code = _HIDDEN.format(absent=packages("train") - packages()) + (
        f"from distilmt.cli import main\nsys.exit(main(['run', {str(config)!r}, '--quiet']))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=commands.environment())
    assert process.returncode == 2
    assert re.fullmatch(
        r"distilmt: error: this command needs \w+, which is not installed: pip install '\.\[train\]' in a clone of "
        r"distilmt\n",
        process.stderr,
    )

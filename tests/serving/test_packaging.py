"""What serving needs: packaging/serve.txt, from which the image is built."""

import re
import subprocess
import sys
from pathlib import Path

from helpers import commands, toy

from distilmt.inference.translator import Translator

ROOT = Path(__file__).parents[2]
_PROGRAM = """
    import sys
    absent = {absent!r}

    class Absent:
        def find_spec(self, name, *_):
            if name.split(".")[0] in absent:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Absent())
    import asyncio, httpx, pathlib
    from distilmt.cli import main
    from distilmt.config.commands import ServeConfig
    from distilmt.serving.server import build

    app, model, text = build(ServeConfig(["en-it={model}"], threads=1)), {model!r}, {text!r}

    async def ask():
        asked = {{"source": "auto", "target": "it"}}
        transport = httpx.ASGITransport(app.state.middleware)
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            said = await client.post("/translate", json=asked | {{"q": text}})
            print(said.json()["translatedText"])
            for name in {names!r}:
                sent = {{"file": (name, pathlib.Path({documents!r}, name).read_bytes())}}
                answer = await client.post("/translate_file", data=asked | {{"source": "en"}}, files=sent)
                assert answer.status_code == 200, (name, answer.text)

    asyncio.run(ask())
    sys.exit(main(["translate", model, "--text", text]))
"""


def names(text: str) -> set[str]:
    return {m.lower() for m in re.findall(r'(?m)^(?:  ")?([\w-]+)>=', text)}


def test_nothing_else_is_needed(tmp_path, exported_model):
    """With the rest of distilmt's dependencies out of reach texts and documents are translated."""
    listed = names((ROOT / "packaging" / "serve.txt").read_text())
    core = names((ROOT / "pyproject.toml").read_text().partition("\ndependencies = [")[2].partition("]")[0])
    absent = {name.replace("-", "_") for name in core - listed} | {"tokenizers"}
    assert {"torch", "transformers", "pyarrow"} < absent
    documents = {
        "a.md": "# Ban der.\n",
        "a.po": 'msgid ""\nmsgstr ""\n\nmsgid "Ban."\nmsgstr ""\n',
        "a.html": "<p>Ban</p>",
    }
    for name, content in documents.items():
        (tmp_path / name).write_text(content)
    text = toy.pairs(1, seed=5)[0][0]
    filled = {"absent": absent, "model": str(exported_model), "text": text, "names": list(documents)}
    program = _PROGRAM.format(**filled, documents=str(tmp_path)).replace("\n    ", "\n")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=commands.environment())
    assert found.returncode == 0, found.stderr[-3000:]
    expected = Translator(exported_model).translate([text])[0]
    assert found.stdout.splitlines() == [expected, expected]

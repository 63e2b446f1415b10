"""Commands and Python of README and docs are run, with a toy run and a toy teacher in the place of real ones."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import commands, pages, servers, toy

import distilmt

DOCX = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
    "<w:t>bar den.</w:t></w:r></w:p></w:body></w:document>"
)
FILES = {
    "README.md": "# Bar\n\nbar den, **fin** gor.\n",
    "guide.md": "# Bar\n\nbar den, **fin** gor.\n",
    "page.html": "<p>bar <b>den</b> fin.</p>",
    "film.srt": "1\n00:00:01,000 --> 00:00:02,000\nbar den.\n",
    "messages.po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "bar den"\nmsgstr ""\n',
    "terms.tsv": "den\tdodata\n",
    "in.txt": "bar den.\nfin gor.\n",
}
# Whole runs would take their minutes, and read corpora that are not here.
SHORTER = {"--minutes": "0.1", "--student.training.max_steps": "40", "--student.training.max_seconds": "20"}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The current directory, with the files that commands of the documentation name."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "guide.docx", "w") as archive:
        archive.writestr("word/document.xml", DOCX)
    return tmp_path


def run(command: pages.Command, words: tuple[str, ...]) -> str:
    """Run a command of a page with these words in place of its own; returns what it writes."""
    path = Path(command.input)
    text = path.read_bytes() if command.input and path.exists() else command.input.encode()
    process = commands.distilmt(*words[1:], input=text)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    if command.output:
        assert process.stdout, command
    return process.stdout.decode()


QUICK = pages.on_a_finished_run(pages.PAGES)


def test_many_commands_are_run():
    assert len(QUICK) > 15


PICTURES = ("photo.jpg", "screenshot.png", "scan.pdf")


@pytest.fixture
def pictures(workplace, picture_student):
    """The pictures that commands name, and a run whose student reads them."""
    pytest.importorskip("rapidocr")
    from helpers.pages_of_text import pdf_of, text_picture

    lines = ["Two young men are outside near", "many bushes and talk a little."]
    for name in PICTURES[:2]:
        text_picture(lines, (480, 120)).convert("RGB").save(workplace / name)
    (workplace / "scan.pdf").write_bytes(pdf_of([lines], (300, 160)))
    for run_dir in ("runs/images", "runs/demo-images"):
        (workplace / run_dir / "exports").mkdir(parents=True)
        (workplace / run_dir / "exports" / "student-int8").symlink_to(picture_student)


@pytest.mark.parametrize("command", [command for command in QUICK if {*PICTURES} & {*command.words}], ids=str)
def test_commands_on_pictures(command, pictures):
    assert run(command, command.words) or "--output" in command.words


RECORDINGS = ("talk.mp3", "film.mkv", "--live")


@pytest.fixture
def recordings(workplace, speech_student):
    """The recordings that commands name, live speech, and a run whose student reads them."""
    pytest.importorskip("av")
    pytest.importorskip("faster_whisper")
    from helpers.recordings import RATE, encoded, synthesized, wav

    silence = np.zeros(RATE, np.float32)
    talk = np.concatenate([silence, synthesized("Two young men are outside near many bushes."), silence])
    (workplace / "talk.mp3").write_bytes(encoded(talk, "mp3", "mp3"))
    (workplace / "film.mkv").write_bytes(encoded(talk, "matroska", "flac"))
    (workplace / "live.wav").write_bytes(wav(talk))
    (workplace / "runs/speech/exports").mkdir(parents=True)
    (workplace / "runs/speech/exports/student-int8").symlink_to(speech_student)


@pytest.mark.parametrize("command", [command for command in QUICK if {*RECORDINGS} & {*command.words}], ids=str)
def test_commands_on_recordings(command, recordings):
    if "--live" in command.words:
        command = replace(command, input="live.wav")
    assert run(command, command.words) or "--output" in command.words


OF_OTHERS = {*PICTURES, *RECORDINGS}


@pytest.mark.parametrize("command", [command for command in QUICK if not OF_OTHERS & {*command.words}], ids=str)
def test_commands_on_a_finished_run(command, workplace, finished_run, request):
    places = {"DIR": "runs/demo/labels", "OUT": "out"}
    words = tuple(places.get(word, word) for word in command.words)
    for name in {match[1] for word in words if (match := re.match(r"(runs/\w+)", word))}:
        if "merge" not in words or name != "runs/all":
            (workplace / name).parent.mkdir(exist_ok=True)
            (workplace / name).symlink_to(finished_run)
    assert run(command, words) or "--output" in words


PLACEHOLDERS = ("CONFIG.yaml", "configs/multi30k-en-de.yaml", "configs/opus-mt-teacher.yaml")


@pytest.fixture
def toy_inputs(workplace, trained_model, finished_run):
    """A teacher, sentences, a configuration and a finished run under the names that pages use."""
    shutil.copytree(trained_model, workplace / "models" / "opus-mt-en-it")
    shutil.copytree(finished_run, workplace / "runs" / "demo", symlinks=True)
    sources, targets = toy.pairs(700, seed=6)
    for name in ("mine", "pairs"):
        for language, lines in (("en", sources), ("it", targets), ("fr", targets)):
            (workplace / f"{name}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for name, lines in zip(("test.en", "test.it"), toy.pairs(30, seed=8), strict=True):
        (workplace / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    news = "".join(f"{line}\n" for line in toy.pairs(60, seed=7)[0])
    (workplace / "news.en.gz").write_bytes(gzip.compress(news.encode()))
    for name in PLACEHOLDERS:
        values = toy.run_config(workplace / "toy", run_dir=f"runs/{Path(name).stem}")
        toy.write_config(workplace / name, values)
    test = distilmt.Run("runs/demo").results["test"]["sentences"]
    (workplace / "other.it").write_text("nota.\n" * test, encoding="utf-8")
    rows = ({"id": row["id"], "translation": "nota."} for row in _test_rows(workplace / "runs" / "demo"))
    (workplace / "third.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return workplace


def _test_rows(run_dir: Path) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    return pq.read_table(run_dir / "corpus" / "test.parquet").to_pylist()


def shortened(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words with shorter times and trainings."""
    pairs = itertools.pairwise(("", *words))
    return tuple(SHORTER.get(before, word) for before, word in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.WHOLE_RUNS)
def test_whole_runs_of_a_page(page, toy_inputs):
    selected = pages.of_whole_runs(page)
    assert selected
    for command in selected:
        run(command, shortened(command.words))


def run_python(name: str, shorter: tuple[str, str] = ("", "")) -> dict[str, object]:
    """Run the blocks of a page one after the other, the first text replaced by the second; returns their names."""
    page = next(page for page in (pages.ROOT / name, *pages.PAGES) if page.name == name and page.exists())
    names: dict[str, object] = {}
    for block in pages.blocks(page, "python"):
        exec(compile(block.replace(*shorter), name, "exec"), names)
    return names


def test_python_of_the_first_tutorial(workplace, finished_run, capsys):
    (workplace / "runs").mkdir()
    (workplace / "runs" / "demo").symlink_to(finished_run)
    run_python("first-student.md")
    scores, translations = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[\d.]+ \d+", scores) and translations.startswith("['")


@pytest.mark.slow
def test_python_of_the_readme(toy_inputs, capsys):
    """With the built-in teacher, and nothing that must be downloaded."""
    run_python("README.md", ("minutes=60", "minutes=0.1"))
    assert re.search(r"^[\d.]+ runs/distill-en-it/report\.html$", capsys.readouterr().out, re.MULTILINE)


def test_python_of_documents(workplace, finished_run):
    (workplace / "runs").mkdir()
    (workplace / "runs" / "demo").symlink_to(finished_run)
    document = run_python("translate.md")["document"]
    assert document.startswith(b"# ") and document != FILES["guide.md"].encode()


def test_imports_of_pages_exist():
    """In one process, which has them all already."""
    lines = set()
    for page in pages.PAGES:
        for block in pages.blocks(page, "python"):
            lines |= {line for line in block.splitlines() if line.startswith(("from distilmt", "import distilmt"))}
    assert len(lines) > 10
    process = commands.Process(program="\n".join(sorted(lines))).completed()
    assert process.returncode == 0, process.stderr.decode()[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "written"), [("prune.md", "models/pair"), ("shortlist.md", "runs/NAME")])
def test_python_of_smaller_models(page, written, workplace, finished_run):
    if page == "shortlist.md":
        pytest.importorskip("thot")
    for name in ("NAME", "mine"):
        shutil.copytree(finished_run, workplace / "runs" / name, symlinks=True)
    run_python(page)
    assert any((workplace / written).iterdir())


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_python_compiles(page):
    for block in pages.blocks(page, "python"):
        text = re.sub(r"^    ", "", block, flags=re.MULTILINE) if block.startswith("    ") else block
        assert compile(text, page, "exec").co_code


@pytest.mark.slow
def test_a_server_as_teacher_as_in_the_tutorial(toy_inputs, finished_run, monkeypatch, capsys):
    """With the server that the page offers for a trial without a language model."""
    page = pages.ROOT / "docs" / "tutorials" / "your-own-teacher.md"
    (block,) = pages.blocks(page, "yaml")
    monkeypatch.setenv("MY_API_KEY", "key")
    small = toy.run_config(toy_inputs / "toy")
    with servers.distilmt_server(finished_run) as (_, port):
        teacher = {"url": f"http://127.0.0.1:{port}", "api": "libretranslate", "endpoint": {"model": None}}
        student = {key: small["student"][key] for key in ("model", "training")}
        changes = {"teacher": teacher, "student": student, "tokenizer": {"vocab_size": 400}}
        toy.write_config(Path("llm.yaml"), toy.merged(yaml.safe_load(block), changes))
        for command in pages.with_a_server_as_teacher(page):
            run(command, shortened(command.words))
    (block,) = (block for block in pages.blocks(page, "python") if "LabelStore" in block)
    exec(compile(block, page.name, "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert distilmt.Run("runs/llm").scores["student-int8"].chrf > 0


@pytest.mark.slow
def test_python_of_the_python_page(toy_inputs):
    import torch

    sources, references = toy.pairs(20)
    logits = torch.zeros(1, 3, 8, requires_grad=True)
    names = {
        "references": references,
        "sources": sources,
        "mine": ["nota."] * 20,
        "theirs": ["nota"] * 20,
        "student_logits": logits,
        "teacher_logits": torch.ones(1, 3, 8),
        "labels": torch.ones(1, 3, dtype=torch.long),
        "ids": torch.ones(1, 3, 2, dtype=torch.long),
        "logprobs": torch.full((1, 3, 2), -1.0),
        "attention_mask": torch.ones(1, 3, dtype=torch.bool),
    }
    for block in pages.blocks(pages.ROOT / "docs" / "how-to" / "python.md", "python"):
        if "hf:" in block:
            continue  # a model of the hub
        short = block.replace("minutes=60", "minutes=0.1").replace("2000", "40")
        exec(compile(short, "python.md", "exec"), names)
    assert isinstance(names["run"], distilmt.Run) and names["run"].scores["student-int8"].chrf > 0
    assert Path("guide.it.md").read_text("utf-8")
    assert 0 < names["evaluation"].comparison("other")["p_value"] <= 1
    assert names["loss"].item() > 0 and names["loss"].requires_grad

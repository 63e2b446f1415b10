"""What the documentation says must be so: commands, flags, targets, links, keys, configurations."""

from __future__ import annotations

import re
import runpy
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from distilmt import cli
from distilmt.cli.overview import overview
from distilmt.config import RunConfig, fields, loading

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/results/*.md")])
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def quoted() -> Iterator[tuple[str, list[str]]]:
    """Every command of distilmt or make in a bash block: the page, and its words."""
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                for command in line.split(" | "):
                    if command.startswith(("distilmt ", "make ")):
                        yield page.name, shlex.split(command, comments=True)


QUOTED = list(quoted())
named = [f"{page}: {' '.join(words)}"[:80] for page, words in QUOTED]


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli.main([command, "--help"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    return capsys.readouterr().out


@pytest.mark.parametrize(("page", "words"), QUOTED, ids=named)
def test_quoted_commands_exist(page: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if words[0] == "make":
        for word in words[1:]:
            name, is_variable, _ = word.partition("=")
            assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", MAKEFILE, re.MULTILINE), word
        return
    text = help_of(words[1], capsys) + overview()
    for word in words[2:]:
        if word.startswith("--") and word != "--help":
            name = word.partition("=")[0]
            either = f"({re.escape(name)}|--{re.escape(name[2:].replace('-', '_'))})"  # some commands take both
            assert re.search(rf"(^|[\s\[]){either}\b", text), word
        elif word.startswith("configs/"):
            assert (ROOT / word).exists(), word


def test_readme_quotes_commands() -> None:
    assert sum(page.startswith("README") for page, _ in QUOTED) > 8


def test_commands_of_the_overview_exist(capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", overview(), re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        assert "usage: distilmt" in help_of(command, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if not link.startswith(("http:", "https:", "#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_reference_of_keys_is_up_to_date() -> None:
    instance = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    assert instance["OUTPUT"].read_text(encoding="utf-8") == instance["reference"](), (
        "run: python docs/make_reference.py"
    )
    assert instance["RENAMED"].read_text(encoding="utf-8") == instance["former_names"](), (
        "run: python docs/make_reference.py"
    )


def test_every_key_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    for name, *_ in fields.fields(RunConfig):
        assert f"`{name}`" in text


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*.yaml")), ids=lambda path: path.stem)
def test_configurations_load(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    comparison = path.stem.startswith("compare-")
    config = loading.load_comparison([str(path)]).run if comparison else loading.load([str(path)])
    assert config.run_dir == f"runs/{path.stem}"
    assert f"distilmt {'compare' if comparison else 'run'} configs/{path.name}" in text.partition("\n\n")[0]


def test_no_package_of_this_name_is_installed_from_an_index() -> None:
    """Nobody has published distilmt: `pip install distilmt` would fetch what somebody else put there."""
    files = [*PAGES, *ROOT.glob("packaging/*"), *ROOT.glob("src/**/*.py"), *ROOT.glob("configs/*.yaml")]
    for path in files:
        if path.parent.name != "results" and path.name not in ("CHANGELOG.md", "extras.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"distilmt\[\w|pip install [^\n`]*?['\"]?\bdistilmt(?![\w./-])", text), path

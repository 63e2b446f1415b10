"""What the documentation states must be so: commands, flags, targets, links, keys, configurations."""

from __future__ import annotations

import re
import runpy
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import pages

from distilmt import cli
from distilmt.cli.command import load as load_command
from distilmt.cli.output import SHARED_FLAGS
from distilmt.cli.overview import overview
from distilmt.config import RunConfig, fields, loading

ROOT = pages.ROOT
PAGES = [*pages.PAGES, *pages.RESULTS]
LINK = re.compile(r"\]\(([^)\s]+)\)")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = list(pages.commands(PAGES))


HELP: dict[str, str] = {}
"""Help by command; it takes a while to build."""


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    if command in HELP:
        return HELP[command]
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli.main([command, "--help"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    HELP[command] = capsys.readouterr().out
    return HELP[command]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_quoted_commands_exist(command: pages.Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.words
    if words[0] == "make":
        for word in words[1:]:
            name, is_variable, _ = word.partition("=")
            assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", MAKEFILE, re.MULTILINE), word
        return
    text = help_of(words[1], capsys) + overview() if words[1:] else ""
    for word in words[2:]:
        if word.startswith("--") and word != "--help":
            name = word.partition("=")[0]
            either = f"({re.escape(name)}|--{re.escape(name[2:].replace('-', '_'))})"  # some commands take both
            assert re.search(rf"(^|[\s\[]){either}\b", text), word
        elif word.startswith("configs/"):
            assert (ROOT / word).exists(), word


def test_readme_quotes_commands() -> None:
    assert sum(command.page.startswith("README") for command in COMMANDS) > 8


LOADERS: dict[str, Callable[[list[str]], object]] = {
    "adapt": loading.load_adapt,
    "demo": loading.load_demo,
    "distill": loading.load_distill,
    "labels": loading.load_labels,
    "serve": loading.load_serve,
    "translate": loading.load_translate,
    "label": lambda words: loading.load(loading.of_section(words, "labels")),
    "evaluate": lambda words: loading.load(loading.of_section(words, "evaluation")),
    **dict.fromkeys(("run", "prepare", "train-teacher", "train-student", "export"), loading.load),
}
LOADED = {
    command.words: command
    for command in COMMANDS
    if set(command.words[1:2]) & set(LOADERS) and re.search(" --(?!help)", " ".join(command.words))
}
"""Commands with flags, without repetitions."""


@pytest.mark.parametrize("command", LOADED.values(), ids=str)
def test_values_of_quoted_commands_are_valid(
    command: pages.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command reads them, with a configuration of this project in the place of the reader's."""
    monkeypatch.chdir(tmp_path)
    for directory in re.findall(r"\[(runs/.+?)\]", " ".join(command.words)):
        (tmp_path / directory).mkdir(parents=True)
    own = re.compile(r"(?!configs/|benchmarks/).*\.yaml")
    example = str(ROOT / "configs" / "multi30k-en-de.yaml")
    words = [example if own.fullmatch(word) else word for word in command.words[2:]]
    words = [str(ROOT / word) if word.endswith(".yaml") else word for word in words if not word.startswith("$")]
    flags = {flag for flag in words if flag in load_command(command.words[1]).flags or flag in SHARED_FLAGS}
    assert LOADERS[command.words[1]]([word for word in words if word not in flags]) is not None


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    entries = set(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE))
    written = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}
    elsewhere = {"index.md", "index.zh-CN.md", "tutorials/first-student-notebook.md"}  # docs/site_pages.py
    assert entries == written | elsewhere, "write each page into nav in mkdocs.yml"


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


KEY = re.compile(r"`(?:--)?((?:corpus|tokenizer|teacher|labels|student|export|evaluation)\.[a-z_.]*[a-z_])")
FILES = ("json", "gz", "next", "before")
"""What else has a dot: files, and directories beside a step's."""


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_keys_that_pages_name_exist(page: Path) -> None:
    if page.name in ("CHANGELOG.md", "renamed.md", "renamed-code.md"):
        return
    keys = {name for name, *_ in fields.fields(RunConfig)}
    groups = {name[: match.start()] for name in keys for match in re.finditer(r"\.", name)}
    named = {key for key in KEY.findall(page.read_text(encoding="utf-8")) if not key.endswith(FILES)}
    assert named <= keys | groups | {"student.preset"}  # a former name


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*.yaml")), ids=lambda path: path.stem)
def test_configurations_load(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    comparison = path.stem.startswith("compare-")
    config = loading.load_comparison([str(path)]).run if comparison else loading.load([str(path)])
    assert config.run_dir == f"runs/{path.stem}"
    command = "compare" if comparison else "(run|train-teacher)"
    assert re.search(f"distilmt {command} configs/{path.name}", text.partition("\n\n")[0])


def test_no_package_of_this_name_is_installed_from_an_index() -> None:
    """Nobody has published distilmt: `pip install distilmt` would fetch what somebody else put there."""
    files = [*PAGES, *ROOT.glob("packaging/*"), *ROOT.glob("src/**/*.py"), *ROOT.glob("configs/*.yaml")]
    for path in files:
        if path.parent.name != "results" and path.name not in ("CHANGELOG.md", "extras.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"distilmt\[\w|pip install [^\n`]*?['\"]?\bdistilmt(?![\w./-])", text), path

"""What an export says about itself: README.md for people, card.json for programs.

The parts follow Mitchell et al. 2019, "Model Cards for Model Reporting", as far as a run knows them; what it does not
know is said to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distilmt import __version__
from distilmt.utils.checksums import CARD, sha256
from distilmt.utils.run_dir import read_json, write_json, write_text

README, FACTS = "README.md", CARD
NOT_STATED = "not stated"
_NON_COMMERCIAL = re.compile(r"\bNC\b|non.?commercial|research.only", re.IGNORECASE)


@dataclass(frozen=True)
class ModelCard:
    """What an exported file cannot tell of itself."""

    source: str
    """Source language code."""
    target: str
    """Target language code."""
    role: str = "student"
    """What the model was in its run."""
    signature: str = ""
    """How the run made its student, in one line."""
    parameters: int | None = None
    """Parameters that were learnt, shared ones counted once."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """By name, such as `validation bleu`."""
    teacher_licence: str | None = None
    """Licence of the teacher; None is not known."""
    data_licence: str | None = None
    """Licence of the text it was trained on; None is not known."""

    @property
    def non_commercial(self) -> bool:
        """Whether one of the licences forbids commercial use, by its name."""
        return any(_NON_COMMERCIAL.search(text) for text in (self.teacher_licence, self.data_licence) if text)


@dataclass(frozen=True)
class Form:
    """What kind of export it is, and how it is used."""

    name: str
    """Of the format, for headings: `ONNX`."""
    library: str
    """What opens it, as the Hugging Face hub calls it."""
    use: str
    """Markdown: how to translate with it; `DIRECTORY` stands for where the files lie."""


def write_card(directory: Path, card: ModelCard, form: Form) -> None:
    """Write README.md and card.json beside all other files of an export, with their sizes and checksums."""
    facts = _facts(directory, card, form)
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, form.use))


def add_scores(directory: Path, scores: Mapping[str, float]) -> None:
    """Put scores that were measured later into the card of an export.

    Raises:
        UserError: the export has no card.
    """
    facts = read_json(directory / FACTS)
    facts["scores"] |= dict(scores)
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, facts["use"]))


def renew_files(directory: Path) -> None:
    """List the files of an export anew that was changed after its card was written; nothing where it has none."""
    if not (directory / FACTS).exists():
        return
    facts = read_json(directory / FACTS)
    listed = _files(directory)
    facts |= {"files": listed, "bytes": sum(about["bytes"] for about in listed.values())}
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, facts["use"]))


def _files(directory: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file but the card's own."""
    files = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}
    return {
        name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for name, path in files.items()
        if name not in (README, FACTS)
    }


def _facts(directory: Path, card: ModelCard, form: Form) -> dict[str, Any]:
    listed = _files(directory)
    return {
        "form": form.name,
        "library": form.library,
        "source": card.source,
        "target": card.target,
        "role": card.role,
        "signature": card.signature,
        "parameters": card.parameters,
        "bytes": sum(facts["bytes"] for facts in listed.values()),
        "scores": dict(card.scores),
        "licences": {"teacher": card.teacher_licence, "data": card.data_licence},
        "non_commercial": card.non_commercial,
        "distilmt": __version__,
        "use": form.use,
        "files": listed,
    }


def readme(facts: Mapping[str, Any], use: str) -> str:
    """The card in Markdown, with what the hub reads at its head."""
    pair = f"{facts['source']} → {facts['target']}"
    parameters = "unknown" if facts["parameters"] is None else f"{facts['parameters']:,}"
    scores = [f"- {name}: {value:.2f}" for name, value in facts["scores"].items()] or ["None was measured."]
    files = [f"{file_facts['sha256']}  {name}" for name, file_facts in facts["files"].items()]
    where = ["", "`DIRECTORY` is where these files lie."] if "DIRECTORY" in use else []
    lines = [
        *_front_matter(facts),
        f"# Translation {pair}, {facts['form']}",
        "",
        f"A {facts['role']} made by distilmt {facts['distilmt']}: {parameters} parameters, {facts['bytes']:,} bytes.",
        "",
        "## Use",
        "",
        use.strip(),
        *where,
        "",
        "## How it was made",
        "",
        f"Signature of the run: `{facts['signature'] or 'unknown'}`",
        "",
        "## Scores",
        "",
        *scores,
        "",
        "## Licences",
        "",
        *_licenses(facts),
        "",
        "## Files",
        "",
        "```",
        *files,
        "```",
    ]
    return "\n".join(lines) + "\n"


def _front_matter(facts: Mapping[str, Any]) -> list[str]:
    languages = [f"- {facts[side].replace('_', '-').split('-')[0]}" for side in ("source", "target")]
    library = f"library_name: {facts['library']}"
    return ["---", "language:", *languages, "pipeline_tag: translation", library, "tags:", "- distilmt", "---", ""]


def _licenses(facts: Mapping[str, Any]) -> list[str]:
    licences = facts["licences"]
    lines = [f"- teacher: {licences['teacher'] or NOT_STATED}", f"- training text: {licences['data'] or NOT_STATED}"]
    if facts["non_commercial"]:
        lines += ["", "**Not for commercial use**: a licence above forbids it."]
    elif not all(licences.values()):
        lines += ["", "What is not stated is not known to be free: ask whoever made the model before shipping it."]
    return lines

"""Model card of an export: README.md for people, card.json for programs.

The sections follow Mitchell et al. 2019, "Model Cards for Model Reporting", as far as a run has the information; the
rest is marked as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distilmt import __version__
from distilmt.utils.checksums import CARD, sha256
from distilmt.utils.json_types import JsonMapping, JsonObject
from distilmt.utils.run_dir import FileChecksum, read_json, write_json, write_text

README, FACTS = "README.md", CARD
NOT_STATED = "not stated"
_NON_COMMERCIAL = re.compile(r"\bNC\b|non.?commercial|research.only", re.IGNORECASE)


@dataclass(frozen=True)
class ModelCard:
    """Facts about a model that its exported files do not contain."""

    source: str
    """Source language code."""
    target: str
    """Target language code."""
    role: str = "student"
    """The model's role in its run."""
    signature: str = ""
    """Settings of the run in one line."""
    parameters: int | None = None
    """Number of trainable parameters; shared ones count once."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """By name, such as `validation bleu`."""
    teacher_license: str | None = None
    """License of the teacher; None: unknown."""
    data_license: str | None = None
    """License of the training text; None: unknown."""

    @property
    def non_commercial(self) -> bool:
        """Whether a license forbids commercial use, judged by its name."""
        return any(_NON_COMMERCIAL.search(text) for text in (self.teacher_license, self.data_license) if text)


@dataclass(frozen=True)
class Form:
    """Format of an export, and its instructions."""

    name: str
    """Name of the format, for headings: `ONNX`."""
    library: str
    """Library that opens it, by its name on the Hugging Face hub."""
    use: str
    """Markdown: how to translate with it; `DIRECTORY` is a placeholder for the export directory."""


def write_card(directory: Path, card: ModelCard, form: Form) -> None:
    """Write README.md and card.json into an export directory, with sizes and checksums of all other files."""
    facts = _facts(directory, card, form)
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, form.use))


def add_scores(directory: Path, scores: Mapping[str, float]) -> None:
    """Add scores that were measured later to the card of an export.

    Raises:
        UserError: the export has no card.
    """
    facts = read_card(directory)
    facts["scores"] |= dict(scores)
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, facts["use"]))


def renew_files(directory: Path, *names: str) -> None:
    """Update the card's list of files after the export was changed; does nothing without a card.

    Args:
        directory: the export.
        names: the changed files, so that damage of others is still recognized; none: all.
    """
    if not (directory / FACTS).exists():
        return
    facts = read_card(directory)
    listed = _files(directory)
    if names:
        listed = facts["files"] | {name: listed[name] for name in names}
    if listed == facts["files"]:
        return
    facts |= {"files": listed, "bytes": sum(about["bytes"] for about in listed.values())}
    write_json(directory / FACTS, facts)
    write_text(directory / README, readme(facts, facts["use"]))


def read_card(directory: Path) -> JsonObject:
    """The content of card.json; older versions spelled a key in another way.

    Raises:
        UserError: the export has no card.
    """
    facts: JsonObject = read_json(directory / FACTS)
    return {"licenses" if key == "licences" else key: value for key, value in facts.items()}


def _files(directory: Path) -> dict[str, FileChecksum]:
    """Size and checksum of every file except the card's."""
    files = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}
    return {
        name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for name, path in files.items()
        if name not in (README, FACTS)
    }


def _facts(directory: Path, card: ModelCard, form: Form) -> JsonObject:
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
        "licenses": {"teacher": card.teacher_license, "data": card.data_license},
        "non_commercial": card.non_commercial,
        "distilmt": __version__,
        "use": form.use,
        "files": listed,
    }


def readme(facts: JsonMapping, use: str) -> str:
    """The card in Markdown, with the front matter for the hub."""
    return "\n".join(_front_matter(facts)) + body(facts, use)


def body(facts: JsonMapping, use: str) -> str:
    """The card in Markdown, without front matter.

    Args:
        facts: the content of card.json.
        use: how to translate with the model, where `DIRECTORY` may stand for its files.
    """
    pair = f"{facts['source']} → {facts['target']}"
    parameters = "unknown" if facts["parameters"] is None else f"{facts['parameters']:,}"
    scores = [f"- {name}: {value:.2f}" for name, value in facts["scores"].items()] or ["No scores were measured."]
    files = [f"{file_facts['sha256']}  {name}" for name, file_facts in facts["files"].items()]
    where = ["", "`DIRECTORY` is the directory of these files."] if "DIRECTORY" in use else []
    lines = [
        f"# Translation {pair}, {facts['form']}",
        "",
        f"A {facts['role']} model by distilmt {facts['distilmt']}: {parameters} parameters, {facts['bytes']:,} bytes.",
        "",
        "## Use",
        "",
        use.strip(),
        *where,
        "",
        "## Training",
        "",
        f"Signature of the run: `{facts['signature'] or 'unknown'}`",
        "",
        "## Scores",
        "",
        *scores,
        "",
        "## Licenses",
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


def _front_matter(facts: JsonMapping) -> list[str]:
    languages = [f"- {language}" for language in language_codes(facts)]
    library = f"library_name: {facts['library']}"
    return ["---", "language:", *languages, "pipeline_tag: translation", library, "tags:", "- distilmt", "---", "", ""]


def language_codes(facts: JsonMapping) -> list[str]:
    """Source and target language without their regions (`pt_BR`: `pt`)."""
    return [str(facts[side]).replace("_", "-").split("-")[0] for side in ("source", "target")]


def _licenses(facts: JsonMapping) -> list[str]:
    licenses = facts["licenses"]
    lines = [f"- teacher: {licenses['teacher'] or NOT_STATED}", f"- training text: {licenses['data'] or NOT_STATED}"]
    if facts["non_commercial"]:
        lines += ["", "**Not for commercial use**: a license above forbids it."]
    elif not all(licenses.values()):
        lines += ["", "A license that is not stated may forbid your use: ask the model's author before shipping it."]
    return lines

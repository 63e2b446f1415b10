"""Teachers that are no model on this machine: a program, a server. They are asked as a `Translator` is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from distilmt.data.cleaning import normalise
from distilmt.inference.base import Hypothesis, Speaker
from distilmt.inference.translator import Translator
from distilmt.teachers.command import Command
from distilmt.teachers.libretranslate import LibreTranslate
from distilmt.teachers.openai import OpenAI
from distilmt.teachers.response_cache import Answers
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint, read_json


class Source(Protocol):
    """Whoever is asked."""

    batch: int
    """Texts that are best asked together."""

    def ask(self, batches: Iterable[list[str]], count: int, sampling: float) -> Iterator[tuple[list[str], list[Any]]]:
        """Batches of texts, in any order, with `count` translations or fewer of each."""


class Outside:
    """A program or server that translates.

    It has no beams, scores or pieces: a hypothesis' score is 0 and its tokens are its words.
    """

    def __init__(self, facts: dict[str, Any], answers: Path | None = None) -> None:
        """Be ready to ask.

        Args:
            facts: what `distilmt.json` of an export says under `outside`.
            answers: file of the answers that were had before; None asks anew, and keeps nothing.
        """
        self.source = _SOURCES[facts["kind"]](facts)
        self.answers = Answers(answers, _identity(facts)) if answers else None
        if self.answers and isinstance(self.source, OpenAI):
            self.source.before = self.answers.spent().get("money", 0.0)

    def hypotheses(
        self,
        texts: Sequence[str],
        beam_size: int = 4,
        count: int = 1,
        length_penalty: float = 1.0,
        batch_size: int = 64,
        batch_type: str = "examples",
        sampling: float = 0.0,
    ) -> list[list[Hypothesis]]:
        """Up to `count` translations of each text, distinct ones; none for an empty text.

        Of the rest only `sampling` has a meaning here, and only to a language model: its temperature.
        """
        asked = [normalise(text) for text in texts]
        said = self._said(list(dict.fromkeys(text for text in asked if text)), count, sampling)
        return [[Hypothesis(each, each.split(), 0.0) for each in said.get(text, [])] for text in asked]

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """A translation of each text; an empty one where there is none."""
        return [found[0].text if found else "" for found in self.hypotheses(texts)]

    def _said(self, texts: list[str], count: int, sampling: float) -> dict[str, list[str]]:
        known = self.answers.known(texts, count, sampling) if self.answers else {}
        rest = iter([text for text in texts if text not in known])
        size = self.source.batch
        for batch, found in self.source.ask(iter(lambda: list(islice(rest, size)), []), count, sampling):
            said = {text: list(dict.fromkeys(filter(None, each))) for text, each in zip(batch, found, strict=True)}
            if self.answers:
                self.answers.keep(said, count, sampling, self.source.spent())
            known |= said
        return known


def _identity(facts: dict[str, Any]) -> str:
    """Stands for whoever is asked, and what for."""
    return fingerprint({key: facts.get(key) for key in ("kind", "name", "url", "asked", "source", "target")})


_SOURCES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "command": Command,
    "openai": OpenAI,
    "libretranslate": LibreTranslate,
}


def open_speaker(
    path: str | Path, threads: int = 0, workers: int = 1, device: str = "cpu", remember: bool = True
) -> Speaker:
    """Whatever an export directory holds: a `Translator`, an `Outside`, or a `Generator`.

    Args:
        path: the directory.
        threads: CPU threads of each worker, of a model.
        workers: batches translated side by side, by a model.
        device: of a model.
        remember: whether answers that were had before do.

    Raises:
        UserError: nothing of the kind is there.
    """
    file = Path(path) / "distilmt.json"
    facts = read_json(file) if file.exists() else {}
    if "outside" not in facts:
        return Translator(path, threads=threads, workers=workers, device=device)
    outside = facts["outside"]
    if outside["kind"] == "transformers":
        from distilmt.teachers.hf_generate import Generator

        return Generator(outside)
    answers = Path(outside.get("answers") or "/nowhere/")
    return Outside(outside, answers if remember and answers.parent.is_dir() else None)


def shipped_bytes(path: Path) -> int | None:
    """Bytes of an export; None where it is no model, but points to a program, a server or a model elsewhere."""
    if "outside" in read_json(path / "distilmt.json"):
        return None
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def probe(facts: dict[str, Any]) -> None:
    """See that a teacher answers.

    Raises:
        UserError: it does not.
    """
    teacher = Outside(facts)
    if isinstance(teacher.source, Command):
        teacher.source.probe()
    elif not teacher.translate(["Hello."])[0]:
        raise UserError(f"teacher {facts['name']!r} says nothing to 'Hello.': see that it translates")

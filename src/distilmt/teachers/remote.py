"""Teachers outside this process: a program or a server, with the interface of a `Translator`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from distilmt.data.cleaning import normalize
from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis, TranslationModel
from distilmt.inference.manifest import ExportManifest, has_manifest, load_manifest
from distilmt.inference.teacher_reference import TeacherReference, read_reference
from distilmt.inference.translator import Translator
from distilmt.teachers.command import Command
from distilmt.teachers.libretranslate import LibreTranslate
from distilmt.teachers.openai import OpenAI
from distilmt.teachers.response_cache import ResponseCache
from distilmt.teachers.scored_text import ScoredText
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint
from distilmt.utils.sizes import total_bytes


class RemoteBackend(Protocol):
    """A program or server that translates batches."""

    batch: int
    """Preferred number of texts per batch."""

    def translate_batches(
        self, batches: Iterable[list[str]], options: DecodingOptions
    ) -> Iterator[tuple[list[str], list[list[ScoredText]]]]:
        """Yield batches of texts in any order, with at most `num_hypotheses` translations of each text.

        Of the other options only `sampling_temperature` is used, by language models.
        """

    def usage(self) -> dict[str, float]:
        """Requests, tokens and cost of this process so far, by kind."""


class RemoteTeacher:
    """A program or server that translates.

    It has no beams or tokenizer: the tokens of a hypothesis are its words. Its score is 0, except of a language model
    that returns log-probabilities.
    """

    def __init__(self, facts: TeacherReference, cache_file: Path | None = None) -> None:
        """Open the program or server, and the response cache.

        Args:
            facts: the entry `outside` of an export's `distilmt.json`.
            cache_file: file of earlier responses; None disables the cache.
        """
        self.backend = _BACKENDS[facts["kind"]](facts)
        self.cache = ResponseCache(cache_file, _identity(facts)) if cache_file else None
        if self.cache and isinstance(self.backend, OpenAI):
            self.backend.previous_cost = self.cache.usage().get("cost", 0.0)

    def hypotheses(self, texts: Sequence[str], options: DecodingOptions = DEFAULT_DECODING) -> list[list[Hypothesis]]:
        """Distinct translations of each text; none for an empty text. See `RemoteBackend` for the options."""
        sources = [normalize(text) for text in texts]
        translations = self._cached_translations(list(dict.fromkeys(text for text in sources if text)), options)
        return [
            [Hypothesis(each, each.split(), score) for each, score in translations.get(text, [])] for text in sources
        ]

    def translate(self, texts: Sequence[str], beam_size: int = 4, batch_size: int = 64) -> list[str]:
        """A translation of each text, empty if there is none. A program or server has no beam, and its own batches."""
        return [hypotheses[0].text if hypotheses else "" for hypotheses in self.hypotheses(texts)]

    def _cached_translations(self, texts: list[str], options: DecodingOptions) -> dict[str, list[ScoredText]]:
        count, temperature = options.num_hypotheses, options.sampling_temperature
        translations = self.cache.lookup(texts, count, temperature) if self.cache else {}
        text_iterator = iter([text for text in texts if text not in translations])
        size = self.backend.batch
        batches = iter(lambda: list(islice(text_iterator, size)), [])
        for batch, outputs in self.backend.translate_batches(batches, options):
            responses = {text: _distinct(each) for text, each in zip(batch, outputs, strict=True)}
            if self.cache:
                self.cache.store(responses, count, temperature, self.backend.usage())
            translations |= responses
        return translations


def _distinct(translations: Sequence[ScoredText]) -> list[ScoredText]:
    """Distinct translations in their order; of equal ones the best score counts."""
    scores: dict[str, float] = {}
    for text, score in translations:
        if text:
            scores[text] = max(score, scores.get(text, score))
    return list(scores.items())


def _identity(facts: TeacherReference) -> str:
    """Fingerprint of the teacher and its request settings; the key `asked` of older versions stays in it."""
    return fingerprint(
        {
            "kind": facts.get("kind"),
            "name": facts.get("name"),
            "url": facts.get("url"),
            "asked": facts.get("request"),
            "source": facts.get("source"),
            "target": facts.get("target"),
        }
    )


_BACKENDS: dict[str, Callable[[TeacherReference], RemoteBackend]] = {
    "command": Command,
    "openai": OpenAI,
    "libretranslate": LibreTranslate,
}


def load_translation_model(
    path: str | Path, threads: int = 0, workers: int = 1, device: str = "cpu", use_cache: bool = True
) -> TranslationModel:
    """Load an export directory: a `Translator`, `TorchTranslator`, `RemoteTeacher` or `TransformersTeacher`.

    Args:
        path: the directory.
        threads: CPU threads per worker (local models only).
        workers: batches translated in parallel (local models only).
        device: device of a local model.
        use_cache: whether to use cached responses.

    Raises:
        UserError: the directory is not an export.
    """
    manifest = load_manifest(Path(path)) if has_manifest(Path(path)) else ExportManifest()
    if "torch" in manifest:
        from distilmt.teachers.torch_translator import TorchTranslator

        return TorchTranslator.open(Path(path))
    if "outside" not in manifest:
        return Translator(path, threads=threads, workers=workers, device=device)
    external_facts = read_reference(manifest["outside"])
    if external_facts["kind"] == "transformers":
        from distilmt.teachers.hf_generate import TransformersTeacher

        return TransformersTeacher(external_facts)
    cache_file = Path(external_facts.get("cache_file") or "/nowhere/")
    return RemoteTeacher(external_facts, cache_file if use_cache and cache_file.parent.is_dir() else None)


def shipped_bytes(path: Path) -> int | None:
    """Size of an export in bytes; None if it only references a program, a server or a model elsewhere."""
    if "outside" in load_manifest(path):
        return None
    return total_bytes(path)


def check_teacher(facts: TeacherReference) -> None:
    """Check that a teacher translates a test input.

    Raises:
        UserError: it does not.
    """
    teacher = RemoteTeacher(facts)
    if isinstance(teacher.backend, Command):
        teacher.backend.check_program()
    elif not teacher.translate(["Hello."])[0]:
        raise UserError(
            f"teacher {facts['name']!r} returned an empty translation for the test input 'Hello.': check that "
            "it translates"
        )

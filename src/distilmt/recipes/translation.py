"""A translator for programs: texts and documents, with a run or an exported model; needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, overload

from distilmt.config.bounds import MAX_BEAM, MAX_THREADS
from distilmt.config.translate import TranslateConfig
from distilmt.documents import translate as documents
from distilmt.inference.base import DecodingOptions, Hypothesis
from distilmt.inference.hub import model_directory
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import exported_model, input_of
from distilmt.inference.speech_translator import SpeechTranslator
from distilmt.inference.translator import Translator as ModelTranslator
from distilmt.utils.arguments import existing_path, text_list, whole_number, written_path
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained
from distilmt.utils.texts import check_is_text

AnyTranslator: TypeAlias = ModelTranslator | ImageTranslator | SpeechTranslator
_LOADERS: dict[str, type[AnyTranslator]] = {"image": ImageTranslator, "speech": SpeechTranslator}
_WORDS = {
    "--system": "system",
    "--output": "target",
    "--overlay": "target",
    "name documents after the model": "check source",
}
"""Words of the command line and those of this module."""


@contextmanager
def _api_words() -> Iterator[None]:
    """Errors of the command line in the words of the Python API."""
    try:
        yield
    except UserError as error:
        message = str(error)
        for flag, argument in _WORDS.items():
            message = message.replace(flag, argument)
        raise UserError(message) from None


class Translator:
    """Translates with an exported model; as a context manager it frees the model at the end of the block.

    Examples:
        A text gives a text, a list gives a list. A text without a letter stays as it is.

        >>> with distilmt.Translator("runs/demo", beam_size=1) as translator:
        ...     translations = translator.translate(["A small editor for text files.", "42"])
        >>> translations[1]
        '42'
    """

    def __init__(
        self,
        directory: str | Path,
        system: str = "student-int8",
        *,
        beam_size: int | None = None,
        threads: int = 0,
        device: str = "cpu",
    ) -> None:
        """Load a model.

        Args:
            directory: the directory of a run, an exported model, `demo` (the student that is part of distilmt), or
                `hf:OWNER/NAME[@REVISION]`, a model of the Hugging Face hub (needs the extra `hub`).
            system: which export of a run; `compressed` is the result of `distilmt compress`.
            beam_size: 1 is greedy; None: the beam the model was compressed for, else 4.
            threads: CPU threads; 0: one per core.
            device: `cpu`, `cuda`, or `auto` for the GPU if one is usable.

        Raises:
            TypeError: an argument has the wrong type.
            UserError: there is no such model, a file is missing or damaged, the hub cannot be reached, or a number is
                out of bounds.
        """
        if beam_size is not None:
            whole_number("beam_size", beam_size, 1, MAX_BEAM)
        whole_number("threads", threads, 0, MAX_THREADS)
        if not isinstance(system, str):
            raise TypeError(f"system is {system!r}: give the name of an export, such as 'student-int8'")
        with _api_words():
            self.directory = exported_model(model_directory(existing_path("directory", directory)), system)
        """Directory of the loaded export."""
        loader = _LOADERS.get(input_of(self.directory), ModelTranslator)
        self._loaded: AnyTranslator | None = loader(self.directory, threads=threads, device=device)
        self._threads = threads
        self.beam_size = beam_size or self._loaded.beam_size

    @overload
    def translate(self, texts: str) -> str: ...  # type: ignore[overload-overlap]  # a str is a Sequence[str] too

    @overload
    def translate(self, texts: Sequence[str]) -> list[str]: ...

    def translate(self, texts: str | Sequence[str]) -> str | list[str]:
        """The translation of a text, or of every text of a list, in order; an empty text gives an empty one.

        A text that is too long for the model is translated sentence by sentence.

        Raises:
            TypeError: it is neither a text nor a list of texts.
            UserError: a text has NUL characters or lone surrogates, or the translator is closed.
        """
        if isinstance(texts, str):
            check_is_text("texts", texts)
            return self._model.translate([texts], self.beam_size)[0]
        return self._model.translate(text_list("texts", texts), self.beam_size)

    def n_best(self, texts: Sequence[str], count: int) -> list[list[Hypothesis]]:
        """Up to `count` translations of each text with their scores, best first; none for an empty text.

        Raises:
            TypeError: `texts` is not a list of texts, or `count` not a whole number.
            UserError: `count` is out of bounds, a text is none (`check_is_text`), or the translator is closed.
        """
        options = DecodingOptions(beam_size=self.beam_size, num_hypotheses=whole_number("count", count, 1, MAX_BEAM))
        return self._model.candidates(text_list("texts", texts), options)

    def translate_file(self, source: str | Path, target: str | Path) -> list[str]:
        """Translate a document (.txt .srt .vtt .ass .html .md .po .docx .json); its structure stays as it is.

        A student that reads pictures translates .png .jpg .webp .bmp .tif .gif and .pdf instead, one that reads speech
        .wav .flac .ogg .mp3 .m4a and videos. Where there is no text, or no speech, nothing is written.

        Args:
            source: the document, picture or recording.
            target: where the translation is written: a file of the same format, or a directory. Of a picture: .txt,
                .json (with places), .png or .pdf (the picture with the translation laid over it), or a directory. Of a
                recording: .txt, .srt, .vtt, .json (with times), or a directory.

        Returns:
            What was not translated and why, one line each.

        Raises:
            TypeError: a path is neither a str nor a Path.
            UserError: a file cannot be read or translated, or the translator is closed.
        """
        files = [str(existing_path("source", source))]
        output = str(written_path("target", target))
        if isinstance(self._loaded, ImageTranslator):
            return self._translate_picture(self._loaded, files, output)
        if isinstance(self._loaded, SpeechTranslator):
            return self._translate_recording(self._loaded, files, output)
        options = TranslateConfig(files=files, output=output, beam_size=self.beam_size)
        translate = documents.translate_function(options, self._model)
        with _api_words():
            return [note for document in documents.translate_files(options, translate) for note in document.notes]

    def _translate_picture(self, translator: ImageTranslator, files: list[str], target: str) -> list[str]:
        with explained("translating pictures"):
            from distilmt.pictures import files as pictures
        is_overlay = Path(target).suffix.lower() in pictures.OVERLAY_SUFFIXES
        options = TranslateConfig(
            path=str(self.directory),
            files=files,
            output=None if is_overlay else target,
            overlay=target if is_overlay else None,
            beam_size=self.beam_size,
            threads=self._threads,
        )
        with _api_words():
            (picture,) = pictures.translate_pictures(options, translator)
        return [] if picture.text else [pictures.NO_TEXT]

    def _translate_recording(self, translator: SpeechTranslator, files: list[str], target: str) -> list[str]:
        with explained("translating speech"):
            from distilmt.recordings import files as recordings
        options = TranslateConfig(path=str(self.directory), files=files, output=target, beam_size=self.beam_size)
        with _api_words():
            (has_speech,) = [each.write() for each in recordings.translate_files(options, translator)]
        return [] if has_speech else [recordings.NO_SPEECH]

    def close(self) -> None:
        """Free the model; a closed translator cannot translate."""
        self._loaded = None

    def __enter__(self) -> Translator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _model(self) -> ModelTranslator:
        if isinstance(self._loaded, ImageTranslator | SpeechTranslator):
            reads = "pictures" if isinstance(self._loaded, ImageTranslator) else "speech"
            raise UserError(f"{self.directory} reads {reads}, not text: use translate_file, or a model of text")
        if self._loaded is None:
            raise UserError(f"the translator of {self.directory} is closed: create another one")
        return self._loaded

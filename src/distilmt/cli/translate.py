"""`distilmt translate`: translate lines, a text or documents with a finished run."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.cli.command import Command
from distilmt.cli.output import Output, standard_output
from distilmt.cli.translate_pictures import check_no_pictures, has_pictures, translate_pictures
from distilmt.cli.translate_recordings import check_no_recordings, has_recordings, translate_recordings
from distilmt.config import loading
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError
from distilmt.utils.texts import check_is_text

if TYPE_CHECKING:
    from distilmt.inference.translator import Translator


def _run(arguments: list[str], output: Output) -> int:
    options = loading.load_translate(arguments)
    from distilmt.documents import translate as translation
    from distilmt.inference.hub import model_directory
    from distilmt.inference.manifest import exported_model, input_of
    from distilmt.inference.translator import Translator

    if not (has_pictures(options) or has_recordings(options)):
        translation.output_paths(options)  # errors in them are raised before a model is loaded
    if output.is_json and options.output is None and any(name.lower().endswith(".docx") for name in options.files):
        raise UserError("--json has text, and a .docx is none: add --output FILE.docx, or leave out --json")
    model = exported_model(model_directory(options.path), options.system)
    for_others = {"image": translate_pictures, "speech": translate_recordings}
    if translate := for_others.get(input_of(model)):
        return translate(options, model, output)
    check_no_pictures(options, model)
    check_no_recordings(options, model)
    translator = Translator(model, threads=options.threads, shortlist=options.shortlist)
    are_records = options.confidence or options.n_best > 1 or output.is_json
    kind = options.format or ("txt" if options.text is not None and not are_records else "lines")
    with _naming_encodings():
        if options.files:
            with output.progress():
                _translate_files(options, translator, output)
        elif kind == "lines":
            _translate_lines(options, translator, output)
        else:
            _translate_text(options, translator, kind, output)
    return 0


@contextmanager
def _naming_encodings() -> Iterator[None]:
    """Add to errors of encodings how this command is given one."""
    from distilmt.documents.encoding import EncodingError

    try:
        yield
    except EncodingError as error:
        remedy = f"or name its encoding with --encoding, such as --encoding {error.likely}"
        raise UserError(f"{error}, {remedy}") from None


def _translate_text(options: TranslateConfig, translator: Translator, kind: str, output: Output) -> None:
    """Translate `--text` or the whole of standard input as a document of a kind."""
    from distilmt.documents import report_of, translate_document
    from distilmt.documents import translate as translation

    data = sys.stdin.buffer.read() if options.text is None else f"{options.text}\n".encode()
    name = f"standard input.{kind}" if options.text is None else f"--text.{kind}"
    translate = translation.translate_function(options, translator)
    encoding = options.encoding if options.text is None else None
    content = translate_document(data, name, translate, tuple(options.json_keys), encoding)
    _write_document(None, content, f".{kind}", encoding, output)
    _print_untranslated(name, report_of(translate).lines())


def _translate_files(options: TranslateConfig, translator: Translator, output: Output) -> None:
    from distilmt.documents import translate as translation

    for document in translation.translate_files(options, translation.translate_function(options, translator)):
        if document.target is None:
            _write_document(document.source, document.content, document.source.suffix, options.encoding, output)
        else:
            output.result({"file": str(document.target)}, str(document.target))
        _print_untranslated(str(document.source), document.notes)


def _write_document(source: Path | None, content: bytes, suffix: str, encoding: str | None, output: Output) -> None:
    """Write a translated document to standard output: its bytes, or its text in a JSON object."""
    if not output.is_json:
        with standard_output():
            sys.stdout.buffer.write(content)
        return
    from distilmt.documents.encoding import decode_document

    text = decode_document(content, suffix.lower(), encoding).text
    output.result({"document": source and str(source), "translation": text}, "")


def _print_untranslated(name: str, notes: list[str]) -> None:
    """Print what was not translated, and why, on standard error: standard output has only text."""
    for note in notes:
        print(f"distilmt: {name}: {note}", file=sys.stderr, flush=True)


def _translate_lines(options: TranslateConfig, translator: Translator, output: Output) -> None:
    from distilmt.documents import translate as translation
    from distilmt.documents.encoding import python_encoding

    batch = 1 if sys.stdin.isatty() else translation.BATCH
    encoding = python_encoding(options.encoding) if options.encoding else "utf-8"
    incoming = _lines(encoding) if options.text is None else iter(options.text.splitlines())
    if not (output.is_json or options.confidence or options.n_best > 1):
        for line in translation.translate_stream(translation.translate_function(options, translator), incoming, batch):
            _write_line(line, encoding)
        return
    for text, hypotheses in translation.n_best_lines(options, translator, incoming, batch):
        if output.is_json:
            output.result({"source": text, "translations": hypotheses}, "")
            continue
        for hypothesis in hypotheses:
            confidence = f"{hypothesis['confidence']:.4f}\t" if options.confidence else ""
            _write_line(f"{confidence}{hypothesis['translation']}", encoding)


def _write_line(line: str, encoding: str) -> None:
    try:
        raw = f"{line}\n".encode(encoding)
    except UnicodeEncodeError as error:
        lost = line[error.start]
        raise UserError(
            f"a translation has {lost!r} (U+{ord(lost):04X}), which {encoding} cannot encode: convert the text to UTF-8"
        ) from None
    with standard_output():
        sys.stdout.buffer.write(raw)


def _lines(encoding: str) -> Iterator[str]:
    """Lines of standard input, without line ends."""
    if encoding.startswith(("utf-16", "utf-32")):  # a line feed has more than one byte in them
        try:
            text = codecs.getreader(encoding)(sys.stdin.buffer).read()
            yield from (line.rstrip("\r") for line in text.removesuffix("\n").split("\n") if text)
        except UnicodeDecodeError as error:
            raise UserError(f"standard input: not {encoding} at byte {error.start}: name another --encoding") from None
        return
    shown = "UTF-8" if encoding == "utf-8" else encoding
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            text = raw.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(
                f"standard input, line {number}: not {shown} at byte {error.start}: name its encoding with --encoding, "
                "such as --encoding cp1252, or convert it"
            ) from None
        check_is_text(f"standard input, line {number}", text)
        yield text


COMMANDS = {
    "translate": Command(
        "translate",
        "Translates standard input line by line, a text or documents with a finished run or an exported model. With "
        "--json every translation is a JSON object on a line, of lines and documents alike.",
        {
            "RUN_OR_MODEL": "A run directory, an exported model, or a model of the Hugging Face hub: hf:OWNER/NAME.",
            "[FILE ...]": "Documents to translate: .txt .srt .vtt .ass .html .md .po .docx .json; or, with a student "
            "that reads pictures, .png .jpg .webp .bmp .tif .gif .pdf; with one that reads speech, .wav .flac .ogg "
            ".mp3 .m4a.",
        },
        (TranslateConfig,),
        (
            "runs/demo < in.txt > out.txt",
            "runs/demo page.html guide.md --output translated",
            "runs/demo --text 'Good morning.'",
            "runs/demo --confidence --n_best 3 < in.txt",
            "runs/images photo.jpg scan.pdf --output translated/ --overlay translated/",
            "runs/speech talk.mp3 --output talk.srt",
        ),
        _run,
    )
}

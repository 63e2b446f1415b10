"""`distilmt translate` with a student that reads pictures: picture files and PDFs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.cli.output import Output, standard_output
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from distilmt.pictures.files import TranslatedPicture


def has_pictures(options: TranslateConfig) -> bool:
    """Whether the files, or where they are written, are such as only a student that reads pictures can translate."""
    from distilmt.pictures.reading import is_picture

    return options.overlay is not None or any(map(is_picture, options.files))


def check_no_pictures(options: TranslateConfig, model: Path) -> None:
    """Check that a model of text is given no pictures.

    Raises:
        UserError: it is.
    """
    from distilmt.pictures.reading import is_picture

    if picture := next(filter(is_picture, options.files), None):
        raise UserError(
            f"{picture} is a picture, and {model} reads text: name a student that reads pictures "
            "(student.input: image), or translate the picture's text"
        )
    if options.overlay is not None:
        raise UserError(f"--overlay is for pictures, and {model} reads text: leave it out")


def translate_pictures(options: TranslateConfig, model: Path, output: Output) -> int:
    """Translate picture files with a student that reads pictures; returns the exit status."""
    from distilmt.inference.image_translator import ImageTranslator
    from distilmt.pictures import files

    with explained("translating pictures"):
        files.picture_targets(options, output.is_json)
        translator = ImageTranslator(model, threads=options.threads)
        with output.progress():
            for picture in files.translate_pictures(options, translator, output.is_json):
                _write_picture(options, picture, output)
    return 0


def _write_picture(options: TranslateConfig, picture: TranslatedPicture, output: Output) -> None:
    """Print the text or JSON of a picture unless a file has it, and the names of files that were written."""
    from distilmt.pictures.files import NO_TEXT, json_line

    if options.output is None:
        content = json_line(picture.source, picture.pages) if output.is_json else picture.text
        with standard_output():
            sys.stdout.buffer.write(content.encode("utf-8", "replace"))
    elif picture.written:
        names = [str(path) for path in picture.written]
        output.result({"file": names[0], "files": names}, "\n".join(names))
    if not picture.text:
        print(f"distilmt: {picture.source}: {NO_TEXT}", file=sys.stderr, flush=True)

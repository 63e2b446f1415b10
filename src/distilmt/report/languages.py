"""The languages of reports: English in code and templates, the others in gettext catalogs under `locale/`."""

from __future__ import annotations

import gettext
from functools import cache
from importlib import resources

from distilmt.utils.errors import UserError

DOMAIN = "distilmt"
_LOCALES = resources.files("distilmt.report") / "locale"


class Translation:
    """The messages of a report in one language.

    Messages are English; values are filled in by name as in `%(points)s`, and a per cent sign is written `%%`. In code
    the object is named `_`, so that `docs/make_catalog.py` finds the messages.
    """

    def __init__(self, language: str, catalog: gettext.NullTranslations) -> None:
        """Translate with a catalog; a message that it does not have stays English."""
        self.language = language
        self.catalog = catalog

    @property
    def tag(self) -> str:
        """The language as in HTML: `zh-CN`."""
        return self.catalog.info().get("language", self.language).replace("_", "-")

    def __call__(self, message: str, **values: object) -> str:
        """A message."""
        return self.catalog.gettext(message) % values

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        """A message that depends on a number."""
        return self.catalog.ngettext(singular, plural, number) % values

    def pgettext(self, context: str, message: str, **values: object) -> str:
        """A message whose English is ambiguous without its context."""
        return self.catalog.pgettext(context, message) % values


def languages() -> list[str]:
    """Codes of the languages that reports can be written in."""
    codes = [folder.name for folder in _LOCALES.iterdir() if (folder / "LC_MESSAGES").is_dir()]
    return ["en", *sorted(codes)]


@cache
def translation(language: str) -> Translation:
    """The messages in a language.

    Raises:
        UserError: there is no catalog of that language.
    """
    if language not in languages():
        raise UserError(f"the report cannot be written in {language!r}: choose one of {', '.join(languages())}")
    if language == "en":
        return Translation(language, gettext.NullTranslations())
    with (_LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return Translation(language, gettext.GNUTranslations(file))


def named(system: str, _: Translation) -> str:
    """Name of a system in a sentence: `the int8 student`."""
    base, _hyphen, kind = system.partition("-")
    plain = {"teacher": _("the teacher"), "student": _("the student"), "baseline": _("the baseline")}
    typed = {
        "teacher": _("the %(type)s teacher", type=kind),
        "student": _("the %(type)s student", type=kind),
        "baseline": _("the %(type)s baseline", type=kind),
    }
    return (typed if kind else plain).get(base, system)

"""Items that a translation must contain unchanged: numbers, addresses, code and names, made at random."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence

from distilmt.data.tokenizer import UNK, Tokenizer

_ATTEMPTS = 8
_DOMAINS = ("com", "org", "net", "info", "de", "it", "io", "edu")
_SUFFIXES = ("py", "txt", "html", "so", "conf", "png", "tar.gz", "json")
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"
_DIGITS = string.digits


def copied_items(words: Sequence[str], tokenizer: Tokenizer, count: int, generator: random.Random) -> list[str]:
    """Items of which both vocabularies have every character; fewer than `count` if the vocabularies have few.

    Args:
        words: words of the training text; addresses and code are made of those in ASCII.
        tokenizer: the vocabularies.
        count: how many.
        generator: random numbers.
    """
    items: list[str] = []
    for _ in range(_ATTEMPTS):
        items += _covered([generator.choice(_KINDS)(words, generator) for _ in range(count - len(items))], tokenizer)
    return items


def _covered(items: Sequence[str], tokenizer: Tokenizer) -> list[str]:
    """The items that both vocabularies can write."""
    targets = tokenizer.target.encode(items)
    rows = zip(items, tokenizer.source.encode(items), targets, tokenizer.target.decode(targets), strict=True)
    return [item for item, source, target, text in rows if UNK not in source and UNK not in target and text == item]


def _number(words: Sequence[str], generator: random.Random) -> str:
    """An integer, a time, a date, a percentage or a version: numbers that are written alike in all languages."""
    a, b, c = generator.randrange(24), generator.randrange(60), generator.randrange(1900, 2100)
    integer = str(generator.randrange(10 ** generator.randint(1, 7)))
    date, time = f"{c}-{1 + a % 12:02d}-{1 + b % 28:02d}", f"{a:02d}:{b:02d}"
    others = (f"-{a}", time, date, f"{a}.{b}.{a % 7}", f"{b} %", f"0{c} {integer}", f"{a}/{b}", f"#{integer}")
    return generator.choice((integer, integer, *others))


def _address(words: Sequence[str], generator: random.Random) -> str:
    """A web, mail or network address."""
    a, b = _word(words, generator), _word(words, generator)
    host = f"{generator.choice((a, f'{a}.{b}', f'{a}-{b}'))}.{generator.choice(_DOMAINS)}"
    path = generator.choice(("", f"/{b}", f"/{b}/{a}.html", f"/{a}?{b[0]}={_digit(generator)}", f"/{b}#{a}"))
    numbers = ".".join(str(generator.randrange(256)) for _ in range(4))
    return generator.choice(
        (
            f"https://{host}{path}",
            f"http://{host}{path}",
            f"www.{host}{path}",
            f"{a}.{b}@{host}",
            f"{b}@{host}",
            numbers,
        )
    )


def _code(words: Sequence[str], generator: random.Random) -> str:
    """A placeholder, an option, a file or an identifier."""
    a, b, number = _word(words, generator), _word(words, generator), _digit(generator)
    file = f"{a}.{generator.choice(_SUFFIXES)}"
    variables = ("%s", "%d", f"%({a})s", f"%{number}$s", f"{{{a}}}", f"{{{number}}}", f"${{{a}}}", f"${a.upper()}")
    options = (f"--{a}", f"--{a}-{b}", f"-{a[0]}", f"--{a}={number}", f"`{a} -{b[0]}`")
    files = (file, f"/{b}/{file}", f"~/.{b}/{file}", f"lib{a}{number}")
    identifiers = (f"{a}_{b}", f"{a}{b.capitalize()}", f"{a}()", f"{a}[{number}]", f"<{a}>", f"({a})")
    return generator.choice((*variables, *options, *files, *identifiers))


def _name(words: Sequence[str], generator: random.Random) -> str:
    """A name that no training text has."""
    syllables = (generator.choice(_CONSONANTS) + generator.choice(_VOWELS) for _ in range(generator.randint(2, 4)))
    return ("".join(syllables) + generator.choice(("", "n", "s", "r"))).capitalize()


_KINDS: tuple[Callable[[Sequence[str], random.Random], str], ...] = (_number, _address, _code, _name)


def _word(words: Sequence[str], generator: random.Random) -> str:
    """A word of the text in lower case, or letters at random if it is not in ASCII."""
    word = generator.choice(words).lower() if words else ""
    return word if word.isascii() and word.isalpha() else "".join(generator.choices(string.ascii_lowercase, k=5))


def _digit(generator: random.Random) -> str:
    return generator.choice(_DIGITS)

"""A program as teacher: it reads lines and writes a translation of each, in order (`apertium -u eng-spa`)."""

from __future__ import annotations

import logging
import re
import shlex
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

from distilmt.inference.base import DecodingOptions
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.teachers.scored_text import ScoredText
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores
from distilmt.utils.program_output import run_bounded

logger = logging.getLogger(__name__)

_WAIT, _PER_LINE = 120.0, 10.0
_MOST_BYTES, _BYTES_PER_LINE = 1 << 20, 1 << 14
"""Output that a program may write for a batch, and for every line of it: one that writes more has no end."""
_PROBE = ["Hello.", "Good morning, Zoë.", "Thank you very much."]
_SHELL = re.compile(r"[|<>;&]+|\d>+\S*|>+[/.\w]\S*")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_REMEDY = "it must write one line for each line it reads, and nothing else"


class Command:
    """A program that is started for every batch of lines, in parallel on all cores."""

    batch = 1000

    def __init__(self, facts: TeacherReference) -> None:
        """Read the command line from `command`; it is split as in a shell but run without one.

        Raises:
            UserError: it cannot be parsed, is empty or needs a shell.
        """
        self.name = str(facts["command"])
        try:
            self.arguments = shlex.split(self.name)
        except ValueError as error:
            raise UserError(f"teacher.command {self.name!r} cannot be parsed ({error}): close its quotes") from None
        if not self.arguments:
            raise UserError(f"teacher.command {self.name!r} is empty: give a program")
        if operator := next((word for word in self.arguments if _SHELL.fullmatch(word)), None):
            raise UserError(
                f"teacher.command {self.name!r} contains {operator!r}, but it runs without a shell: use sh -c '…'"
            )
        self.issues: Counter[str] = Counter()
        """Sentences without a usable translation, by kind."""
        self._lock = threading.Lock()

    def translate_batches(
        self, batches: Iterable[list[str]], options: DecodingOptions
    ) -> Iterator[tuple[list[str], list[list[ScoredText]]]]:
        """One translation of each text, whatever the options; an empty one if the program writes several lines for it.

        Raises:
            UserError: the program is missing, fails, does not end, or writes other output than translations.
        """
        pending = list(batches)
        with ThreadPoolExecutor(cores()) as pool:
            try:
                for texts, translations in zip(pending, pool.map(self._translations, pending), strict=True):
                    yield texts, [[(text, 0.0) for text in each] for each in translations]
            finally:
                pool.shutdown(cancel_futures=True)

    def usage(self) -> dict[str, float]:
        """Sentences for which the program wrote more than one line."""
        return dict(self.issues)

    def check_program(self) -> None:
        """Check that the program writes exactly one line of text per input line.

        Raises:
            UserError: it does not; the message describes its output.
        """
        output = self._run(_PROBE)
        if not any(line.strip() for line in output):
            raise UserError(f"teacher {self.name!r} writes nothing for 'Hello.': check that it translates")
        if len(output) != len(_PROBE):
            self._raise_line_count(len(_PROBE), output, self._run(_PROBE[:1]), self._run(_PROBE[2:]))
        if any("Zo\xc3\xab" in line or "ZoÃ«" in line for line in output):
            raise UserError(
                f"teacher.command {self.name!r} reads UTF-8 as another encoding ({output[1].strip()[:60]!r} for "
                f"{_PROBE[1]!r}): set its encoding or locale to UTF-8"
            )
        prompt = _common_prefix(*(line.lstrip() for line in output))
        if re.search(r"[>:$#|=\]]", prompt):
            raise UserError(f"teacher.command {self.name!r} begins every line with {prompt!r}: {_REMEDY}")

    def _translations(self, lines: list[str]) -> list[list[str]]:
        """Translations of a batch; if the number of lines differs, the batch is split to find the line that causes it.

        Raises:
            UserError: the extra lines depend on the number of starts, not on the input: a banner, a prompt.
        """
        output = self._run(lines)
        if len(output) == len(lines):
            return [[line.strip()] for line in output]
        if len(lines) == 1:
            return [self._single(lines[0], output)]
        middle = len(lines) // 2
        halves = lines[:middle], lines[middle:]
        outputs = [self._run(half) for half in halves]
        if sum(map(len, outputs)) != len(output):
            self._raise_line_count(len(lines), output, *outputs)
        return [row for half in halves for row in self._translations(half)]

    def _single(self, line: str, output: list[str]) -> list[str]:
        """An empty translation if there are several lines: it is unclear which of them is the translation."""
        written = [text for text in output if text.strip()]
        if len(written) > 1:
            with self._lock:
                self.issues["several_lines"] += 1
                first = self.issues["several_lines"] == 1
            if first:
                logger.info(
                    f"{self.name}: wrote several lines for one sentence, which gets no label (first {line[:60]!r}: "
                    f"{' / '.join(written)[:100]!r})"
                )
            return [""]
        return [text.strip() for text in written] or [""]

    def _raise_line_count(self, count: int, output: list[str], *others: list[str]) -> None:
        """Report a wrong number of lines, and the line that appears at every start, if there is one.

        Args:
            count: number of input lines.
            output: lines written for them.
            others: lines written for two other batches.
        """
        lines = [line.strip() for line in output if line.strip()] or [""]
        repeated = _common_prefix(*others) or _common_prefix(*(each[::-1] for each in others))
        example = f"at every start {repeated[:60]!r}" if repeated else f"first {lines[0][:60]!r}"
        raise UserError(
            f"teacher.command {self.name!r} writes {len(output)} lines for {count} input lines ({example}): {_REMEDY}"
        )

    def _run(self, lines: list[str]) -> list[str]:
        text = "".join(f"{line}\n" for line in lines).encode(errors="replace")
        seconds = _WAIT + _PER_LINE * len(lines)
        try:
            done = run_bounded(self.arguments, text, seconds, _MOST_BYTES + _BYTES_PER_LINE * len(lines))
        except (FileNotFoundError, PermissionError):
            raise UserError(
                f"teacher.command: program {self.arguments[0]!r} not found: install it, or check PATH"
            ) from None
        except (OSError, ValueError) as error:  # not an executable format, a zero byte in its name
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"teacher.command {self.name!r} cannot be started ({reason}): run it by hand to see why"
            ) from None
        if done.too_long:
            first = done.stdout[:40].decode(errors="replace").splitlines()[:1]
            raise UserError(
                f"teacher.command {self.name!r} writes without end (more than {len(done.stdout):,} bytes for "
                f"{len(lines)} lines, first {first}): {_REMEDY}"
            )
        if done.timed_out:
            raise UserError(
                f"teacher.command {self.name!r} did not end within {seconds:.0f} s: make it exit at end of input"
            )
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip().splitlines() or ["without a message"]
            raise UserError(
                f"teacher.command {self.name!r} failed {_status(done.returncode)} ({message[-1][:200]}): run it "
                "by hand to see why"
            )
        return self._lines(done.stdout, text)

    def _lines(self, output: bytes, text_read: bytes) -> list[str]:
        """The lines of a program's output, UTF-8 with LF or CRLF line ends.

        Raises:
            UserError: they are in another encoding, or contain terminal sequences.
        """
        content = output.removeprefix(b"\xef\xbb\xbf")
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            line_number = content[: error.start].count(b"\n") + 1
            wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
            raise UserError(
                f"teacher.command {self.name!r} writes {'UTF-16' if wide else 'another encoding than UTF-8'} (byte "
                f"0x{content[error.start]:02x} in line {line_number}): convert its output to UTF-8, for example with "
                "sh -c 'COMMAND | iconv -f … -t UTF-8'"
            ) from None
        if not text:
            return []
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        control = next((match.group() for line in lines if (match := _CONTROL.search(line))), "")
        if control and control[0].encode() not in text_read:
            raise UserError(
                f"teacher.command {self.name!r} writes {_CONTROLS.get(control[0], 'control characters')} "
                f"({control!r}): make it write plain lines that end in line feeds"
            )
        return lines


_CONTROLS = {
    "\r": "carriage returns within lines (a progress bar, or CR as line end)",
    "\x1b": "colors or other terminal sequences",
    "\0": "zero bytes (UTF-16?)",
}


def _status(code: int) -> str:
    """How a program ended."""
    if code > 0:
        return f"with status {code}"
    names = {each.value: each.name for each in signal.Signals}
    return f"with signal {names.get(-code, -code)}"


def _common_prefix(first: Sequence[str], *others: Sequence[str]) -> str:
    """Common prefix of several texts, or the first common non-blank line of several lists of lines."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(first, *others, strict=False))
    parts = [column[0] for column in same]
    return "".join(parts) if isinstance(first, str) else next((part.strip() for part in parts if part.strip()), "")

"""The tests themselves: names are unique, files are short, and no assertion of a quick test reads a clock."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
MAX_LINES = 320
CLOCKS = {"time", "monotonic", "perf_counter", "process_time"}


def is_clock(node: ast.AST) -> bool:
    """Whether an expression reads a clock: `time.monotonic()`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    module = node.func.value
    return isinstance(module, ast.Name) and module.id == "time" and node.func.attr in CLOCKS


def is_slow(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(each) == "pytest.mark.slow" for each in function.decorator_list)


def measured_seconds(tree: ast.Module) -> Iterator[int]:
    """Lines of assertions that read a clock, in tests that are not slow."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and not is_slow(function):
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assert) and any(map(is_clock, ast.walk(statement.test))):
                    yield statement.lineno


def test_base_names_are_unique() -> None:
    """Two modules of one name cannot be imported side by side, and a report of a failure names them by it."""
    counts = Counter(path.name for path in FILES if path.name.startswith("test_"))
    assert not [name for name, count in counts.items() if count > 1]


def test_files_are_short() -> None:
    lengths = {path.relative_to(TESTS).as_posix(): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}


def test_no_quick_test_measures_seconds() -> None:
    offences = []
    for path in FILES:
        lines = measured_seconds(ast.parse(path.read_text(encoding="utf-8")))
        offences += [f"{path.relative_to(TESTS).as_posix()}:{line}" for line in lines]
    assert not offences, "\n".join(offences)


def test_measured_seconds_are_seen() -> None:
    quick = "def test_a():\n    assert time.monotonic() - begin < 9\n"
    slow = "@pytest.mark.slow\ndef test_b():\n    assert time.time() < 9\n"
    assert list(measured_seconds(ast.parse(quick + slow))) == [2]

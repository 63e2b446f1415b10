"""Tests use public names: a private name (`_x`) of a module may change at any time, and is not what is tested."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent

# Others' names, for which there is no public one.
EXCEPTIONS = {
    # A forked child ends without taking down the modules that its parent imported.
    "helpers/fork_server.py": {"_shutdown", "_run_exitfuncs", "_exit"},
    # torch has no public list of the hooks of a module.
    "compression/test_importance.py": {"_forward_pre_hooks"},
}
# Named tuples' own functions are public.
PUBLIC = {"_replace", "_asdict", "_fields", "_make"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def defined(tree: ast.Module) -> Iterator[str]:
    """Names that a module itself gives to its functions, classes and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            yield node.attr


def private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Private names of others that a module reads, imports or replaces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("distilmt"):
            yield from ((node.lineno, name.name) for name in node.names if is_private(name.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "delattr", "getattr")):
            texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
            names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
            yield from ((node.lineno, name) for name in names if is_private(name))


def test_tests_use_public_names() -> None:
    offences = []
    for path in sorted(TESTS.rglob("*.py")):
        tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(TESTS).as_posix()
        allowed = {*defined(tree), *EXCEPTIONS.get(name, ())}
        offences += [f"{name}:{line} {private}" for line, private in private_names(tree) if private not in allowed]
    assert not offences, "\n".join(offences)


def test_every_use_is_seen() -> None:
    uses = ("from distilmt.a import _b", "c._d()", "patch.setattr(c, '_e', 1)", "patch.setattr('c._f', 1)", "c.__h__")
    assert [name for _, name in sorted(private_names(ast.parse("\n".join(uses))))] == ["_b", "_d", "_e", "_f"]
    own = ast.parse("def _a(): pass\nclass _B:\n  def c(self): self._d = e._f\n")
    assert set(defined(own)) == {"_a", "_B", "c", "_d"}

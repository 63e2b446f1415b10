"""Figures of the source tree for docs/architecture.md: python docs/code_figures.py [DIRECTORY]."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "distilmt"


def modules(root: Path) -> dict[str, ast.Module]:
    """Dotted name to syntax tree of every module below `root`/distilmt."""
    trees = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def entry(name: str) -> str:
    """The package or module directly below distilmt that a dotted name belongs to."""
    return name.split(".")[1] if "." in name else PACKAGE


def imports(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Dotted names of this package's modules that a module imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in names else str(node.module)


def arrows(trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """Pairs of entries of which the first imports the second."""
    pairs = {(entry(name), entry(other)) for name, tree in trees.items() for other in imports(tree, set(trees))}
    return {(a, b) for a, b in pairs if a != b and PACKAGE not in (a, b)}


def function_lengths(trees: dict[str, ast.Module]) -> list[int]:
    """Lines of every function, decorators left out."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, kinds))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]


def figures(root: Path) -> dict[str, float]:
    """The rows of the table."""
    trees = modules(root)
    texts = [path.read_text(encoding="utf-8") for path in sorted((root / PACKAGE).rglob("*.py"))]
    lines = [text.count("\n") for text in texts]
    any_count = sum(
        isinstance(node, ast.Name) and node.id == "Any" for tree in trees.values() for node in ast.walk(tree)
    )
    lengths = function_lengths(trees)
    return {
        "packages and modules directly below distilmt": len({entry(name) for name in trees} - {PACKAGE}),
        "import arrows between them": len(arrows(trees)),
        "files": len(texts),
        "lines": sum(lines),
        "files over 300 lines": sum(count > 300 for count in lines),
        "functions over 40 lines": sum(length > 40 for length in lengths),
        "lines of a function, mean": round(sum(lengths) / len(lengths), 1),
        "`Any` per 1,000 lines": round(1000 * any_count / sum(lines), 1),
    }


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "src"
    for title, value in figures(source).items():
        print(f"| {title} | {value:,} |")

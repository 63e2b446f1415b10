"""The names that programs import."""

import ast
import doctest
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import commands

import distilmt

_HEAVY = {"torch", "transformers", "numpy", "pyarrow", "ctranslate2", "sacrebleu", "yaml", "jsonargparse"}


def modules_after(program: str) -> set[str]:
    """Top-level modules that a program has imported at its end."""
    code = f"{program}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=commands.environment())
    assert output.returncode == 0, output.stderr[-3000:]
    return set(output.stdout.split())


def test_the_import_alone_loads_nothing():
    assert not modules_after("import distilmt") & _HEAVY


def test_messages_of_every_module_go_nowhere_until_a_program_routes_them():
    """`distilmt.utils` has the handler that drops them: every module that logs imports it, itself or through others."""
    program = "import distilmt.utils, logging; logging.getLogger('distilmt.x').warning('message')"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stderr == b""
    package = Path(distilmt.__file__).parent
    names = {path: path.relative_to(package.parent).with_suffix("").as_posix() for path in package.rglob("*.py")}
    imports = {names[path].replace("/", ".").removesuffix(".__init__"): imported(path) for path in names}
    passing, before = {name for name in imports if name.startswith("distilmt.utils")}, set()
    while passing != before:
        before = set(passing)
        passing |= {name for name, others in imports.items() if others & passing}
    loggers = {
        names[path].replace("/", ".") for path in package.rglob("*.py") if "getLogger" in path.read_text("utf-8")
    }
    assert loggers and not {name.removesuffix(".__init__") for name in loggers} - passing


def imported(path: Path) -> set[str]:
    """Modules that a file imports as it is imported itself; `a.b` of `from a import b` may be one or not."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    origins = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return plain | {str(n.module) for n in origins} | {f"{n.module}.{a.name}" for n in origins for a in n.names}


@pytest.mark.parametrize("name", ["Translator", "Run", "RunConfig", "LabelStore", "evaluate", "UserError", "distill"])
def test_only_training_needs_torch(name):
    assert not modules_after(f"import distilmt\ndistilmt.{name}") & {"torch", "transformers"}


@pytest.mark.parametrize("name", distilmt.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(distilmt, name)
    assert name in dir(distilmt)
    if name != "__version__":
        assert value.__doc__ and value.__name__ == name


@pytest.fixture
def demo_run(tmp_path, finished_run, monkeypatch):
    """A finished run under the name that the examples have."""
    shutil.copytree(finished_run, tmp_path / "runs" / "demo", symlinks=True)
    monkeypatch.chdir(tmp_path)


def failed_examples(name):
    """What the examples in the documentation of a public name print other than the documentation has."""
    tests = doctest.DocTestFinder().find(getattr(distilmt, name), name, globs={"distilmt": distilmt})
    assert any(test.examples for test in tests)
    runner, output = doctest.DocTestRunner(verbose=False), []
    for test in tests:
        runner.run(test, out=output.append)
    assert bool(output) == bool(runner.failures)
    return "".join(output)


@pytest.mark.parametrize("name", sorted({*distilmt.__all__} - {"__version__", "compress"}))
def test_examples_in_docstrings(name, demo_run):
    assert failed_examples(name) == ""


@pytest.mark.slow
def test_the_example_that_trains(demo_run):
    assert failed_examples("compress") == ""


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="has no attribute 'Trainer'"):
        distilmt.Trainer  # noqa: B018


def test_star_import_has_the_public_names():
    names = {}
    exec("from distilmt import *", names)
    assert set(distilmt.__all__) <= set(names)

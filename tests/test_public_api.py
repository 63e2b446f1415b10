"""The names that programs import."""

import subprocess
import sys

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


@pytest.mark.parametrize("name", ["Translator", "Run", "RunConfig", "LabelStore", "evaluate", "UserError", "distill"])
def test_only_training_needs_torch(name):
    assert not modules_after(f"import distilmt\ndistilmt.{name}") & {"torch", "transformers"}


@pytest.mark.parametrize("name", distilmt.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(distilmt, name)
    assert name in dir(distilmt)
    if name != "__version__":
        assert value.__doc__ and value.__name__ == name


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="has no attribute 'Trainer'"):
        distilmt.Trainer  # noqa: B018


def test_star_import_has_the_public_names():
    names = {}
    exec("from distilmt import *", names)
    assert set(distilmt.__all__) <= set(names)

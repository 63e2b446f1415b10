from dataclasses import dataclass, field

import pytest

from distilmt.config import RunConfig, loading
from distilmt.config.commands import PlanConfig
from distilmt.config.comparison import CompareOptions
from distilmt.config.fields import FLAG, Flag
from distilmt.config.flags import keys_of, split_arguments
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError


@pytest.mark.parametrize("spelling", ["--run-dir", "--run_dir"])
def test_dashes_are_underscores_in_every_flag(spelling):
    assert loading.load([spelling, "runs/x"]).run_dir == "runs/x"
    assert loading.load([f"{spelling}=runs/x", "--student.training.max-steps=3"]).student.training.max_steps == 3
    assert loading.load_demo([spelling, "a-b"]).run_dir == "a-b"
    assert split_arguments([spelling, "a-b"], RunConfig).texts == {"run_dir": ["a-b"]}


def test_flags_and_positional_arguments_in_any_order():
    given = split_arguments(["--minutes", "3", "run.yaml", "--seed=2", "--sizes", "1,2,3"], PlanConfig, RunConfig)
    assert given.positionals == ["run.yaml"]
    assert given.of(PlanConfig) == {"minutes": ["3"], "sizes": ["1", "2", "3"]}
    assert given.of(RunConfig) == {"seed": ["2"]}


def test_a_boolean_flag_alone_is_true():
    assert loading.load(["--student.baseline", "--seed", "3"]).student.baseline is True
    assert loading.load(["--student.baseline", "false"]).student.baseline is False
    config = loading.load_translate(["model", "--confidence", "--shortlist", "null"])
    assert config.confidence is True and config.shortlist is None and config.path == "model"


@pytest.mark.parametrize("arguments", [["--seeds", "1,2"], ["--seeds=[1, 2]"], ["--seeds", "1", "2"]])
def test_lists_of_numbers_are_separated_by_commas_or_spaces(arguments):
    assert split_arguments(arguments, CompareOptions).texts == {"seeds": ["1", "2"]}


def test_texts_are_taken_as_typed():
    config = loading.load_translate(["null", "1e3", "--keep", "[a-z]+", "--keep=--x", "--json-keys", "a,b", "c.json"])
    assert (config.path, config.files) == ("null", ["1e3", "c.json"])
    assert config.keep == ["[a-z]+", "--x"] and config.json_keys == ["a", "b"]
    assert loading.load_translate(["model", "--text", "null"]).text == "null"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed"], "--seed needs a value after it"),
        (["--seed", "--run_dir", "x"], "--seed needs a value after it"),
        (["--run-dri", "x"], r"unknown option --run_dri: did you mean 'run_dir'\?"),
        (["--"], "unknown option --"),
        (["a.yaml", "b.yaml"], "unexpected argument 'b.yaml'"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(UserError, match=message):
        loading.load(arguments)


@pytest.mark.parametrize("value", ["a", "1.5", "", "1,,2", "NaN"])
def test_no_whole_numbers(value, tmp_path):
    (tmp_path / "run.yaml").write_text("")
    with pytest.raises(UserError, match=r"^seeds is .*: it must be whole numbers, separated by commas$"):
        loading.load_plan([str(tmp_path / "run.yaml"), f"--seeds={value}"])


@dataclass
class _Hidden:
    shown: int = 1
    """A key."""
    hidden: int = field(default=1, metadata={FLAG: Flag(hidden=True)})
    """No flag."""


def test_hidden_and_positional_keys_are_no_flags():
    assert keys_of(_Hidden)["hidden"].flag.hidden
    for arguments, kind in ((["--hidden", "2"], _Hidden), (["--path", "x"], TranslateConfig)):
        with pytest.raises(UserError, match="unknown option"):
            split_arguments(arguments, kind)

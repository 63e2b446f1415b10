"""Comparisons: the whole road on toy models, how it goes on, and what is refused."""

import json

import pytest
import yaml
from helpers import commands, toy

from distilmt.config.loading import load_comparison
from distilmt.recipes import compare
from distilmt.report import comparison_table
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step

METHODS = {
    "references": {"student": {"objective": {"kd_weight": 0.0, "ce_weight": 1.0, "reference_fraction": 1.0}}},
    "js": {
        "student": {
            "objective": {"divergence": "js", "skew_alpha": 0.5, "token_selection": "queue", "ranking_weight": 0.1}
        }
    },
}


def written(directory, **changes):
    config = toy.run_config(directory) | {"methods": METHODS, "seeds": [1, 2], "baseline": "references"} | changes
    return toy.write_config(directory / "compare.yaml", config)


def test_some_methods_and_seeds(tmp_path):
    path = str(written(tmp_path, methods=METHODS | {"tv": {"student": {"objective": {"divergence": "tv"}}}}))
    config = load_comparison([path, "--only", "tv", "--seeds=3,4", "--student.training.max_steps", "7"])
    assert list(config.methods) == ["references", "tv"] and config.seeds == [3, 4]
    assert config.methods["tv"].student.training.max_steps == 7
    assert set(load_comparison([path, "--only=js, tv"]).methods) == {"references", "js", "tv"}
    with pytest.raises(UserError, match="'tx' is no method"):
        load_comparison([path, "--only", "tx"])
    for jobs in ("0", "1000"):
        with pytest.raises(UserError, match=r"jobs is \d+: it must be at least 1"):
            load_comparison([path, "--jobs", jobs])
    with pytest.raises(UserError, match="seeds is a: it must be whole numbers"):
        load_comparison([path, "--seeds", "a"])


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("compare")
    path = written(directory)
    process = commands.distilmt("compare", path, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    return path, directory / "run"


def test_every_method_and_seed_has_its_figures(compared):
    _, run = compared
    result = json.loads((run / "comparison.json").read_text())
    methods = {method["name"]: method for method in result["methods"]}
    assert set(methods) == set(METHODS)
    for method in result["methods"]:
        assert [row["seed"] for row in method["runs"]] == [1, 2]
        for row in method["runs"]:
            assert set(row["token_metrics"]) >= {"agreement", "calibration_error", "entropy", "mode_mass"}
            assert {"beam", "greedy", "int8"} <= set(row) and len(row["by_length"]) == len(result["bins"]["length"])
        assert method["curves"][0][-1]["update"] == 20
    pairs = {(row["a"], row["b"], row["metric"]) for row in result["comparisons"]}
    assert ("js", "references", "bleu") in pairs and result["best"] in METHODS
    assert "loss:token-level0.7-js0.5+cross-entropy0.3+ranking0.1+queue0.5|" in methods["js"]["signature"]


def test_students_differ_by_method_and_seed_alone(compared):
    _, run = compared
    weights = {path.read_bytes() for path in run.glob("methods/*/seed-*/student/model.safetensors")}
    assert len(weights) == 4
    assert all((place / "labels").is_symlink() for place in run.glob("methods/*/seed-*"))
    assert len(list(run.glob("labels/shard-*"))) > 0 and not (run / "student").exists()


def test_the_tables(compared):
    _, run = compared
    table = (run / "comparison.md").read_text()
    assert "| references |" in table and "| js |" in table and "| teacher |" in table and "±" in table
    page = (run / "comparison.html").read_text()
    assert "<svg" in page and page.count("<section") == 5 and "m-1" in page


def test_a_second_call_does_nothing_anew(compared):
    path, run = compared
    student = run / "methods" / "js" / "seed-2" / "student" / "model.safetensors"
    before = student.stat().st_mtime_ns
    (run / "comparison.md").unlink()
    assert commands.distilmt("compare", path, "--quiet").returncode == 0
    assert student.stat().st_mtime_ns == before and (run / "comparison.md").exists()


def limited(path, run, *limits):
    compare.run(load_comparison([str(path), "--seeds", "1", "--max-failures", *limits]))
    return json.loads((run / "comparison.json").read_text())


def test_a_method_that_fails_too_often_is_not_the_best(compared):
    path, run = compared
    allowed = limited(path, run, "1")
    assert allowed["best"] in METHODS and all(method["breaches"] == [] for method in allowed["methods"])
    failures = [method["runs"][0]["failures"] for method in allowed["methods"]]
    assert all(0 <= rate <= 1 for rates in failures for rate in rates.values())
    name, _rate = max(failures[0].items(), key=lambda entry: entry[1])
    strict = limited(path, run, f"{name}=0")
    within = [method["name"] for method in strict["methods"] if not method["breaches"]]
    assert strict["best"] in within if within else strict["best"] is None
    assert "references" not in within and strict["max_failures"] == {name: 0.0}
    table = (run / "comparison.md").read_text()
    assert "above its limit" in table and f"{name} " in table and "> 0.0 %" in table


def test_limits_of_failures_that_nothing_can_check(tmp_path):
    path = str(written(tmp_path))
    for arguments, message in (
        (("--max-failures", "capitls=0.1"), "did you mean 'capitals'"),
        (("--max-failures=0.1", "--evaluation.challenge_cases", "0"), "set evaluation.challenge_cases of the run"),
    ):
        with pytest.raises(UserError, match=message):
            compare.run(load_comparison([path, *arguments]))


def test_a_method_more_is_trained_alone(compared):
    path, run = compared
    config = yaml.safe_load(path.read_text())
    config["methods"]["tv"] = {"student": {"objective": {"divergence": "tv"}}}
    config["seeds"] = [1]
    more = toy.write_config(path.with_name("more.yaml"), config)
    remaining = run / "methods" / "js" / "seed-1" / "student"
    before = read_step(remaining)
    assert commands.distilmt("compare", more, "--quiet").returncode == 0
    assert read_step(remaining) == before and read_step(run / "methods" / "tv" / "seed-1" / "student")


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_two_students_at_once(tmp_path):
    labels = toy.run_config(tmp_path)["labels"] | {"num_hypotheses": 2}
    methods = {"references": METHODS["references"], "nearest": {"labels": {"rerank": "oracle"}}}
    path = written(tmp_path, labels=labels, methods=methods, seeds=[1])
    process = commands.distilmt("compare", path, "--jobs", "2")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    run = tmp_path / "run"
    done = json.loads((run / "comparison.json").read_text())
    assert done["jobs"] == 2 and {m["name"] for m in done["methods"]} == set(methods)
    assert b"done, 2 of 2" in process.stderr and (run / "methods/nearest/seed-1/selection").is_symlink()
    assert commands.distilmt("compare", path, "--quiet").returncode == 0
    assert json.loads((run / "comparison.json").read_text())["methods"] == done["methods"]


def test_links_are_led_elsewhere_where_the_choice_changed(tmp_path):
    for name in ("nearest", "mbr"):
        (tmp_path / name / "selection").mkdir(parents=True)
        compare.link_steps(tmp_path, tmp_path / name, "selection")
        assert (tmp_path / "selection").resolve() == tmp_path / name / "selection"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": {"one": {}}}, "two methods"),
        ({"methods": METHODS | {"a/b": {}}}, "letters, digits"),
        ({"methods": METHODS | {"x": {"corpus": {"source": "fr"}}}}, "labels and student"),
        ({"methods": METHODS | {"x": {"student": {"objectiv": {}}}}}, "objective"),
        ({"methods": METHODS | {"x": {"student": {"training": {"max_steps": 21}}}}}, "different number of updates"),
        ({"seeds": ["one"]}, "whole numbers"),
        ({"baseline": "referenecs"}, "references"),
    ],
)
def test_what_is_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        load_comparison([str(written(tmp_path, **changes))])


def test_methods_cannot_request_other_labels(tmp_path):
    path = written(tmp_path, methods=METHODS | {"x": {"labels": {"beam_size": 3}}})
    assert "share one set, so remove its label settings" in commands.error_line(
        commands.distilmt("compare", path, "--quiet")
    )


def test_a_missing_file(tmp_path):
    assert "does not exist" in commands.error_line(commands.distilmt("compare", tmp_path / "none.yaml", "--quiet"))


def test_mean_and_spread():
    assert comparison_table.mean_and_deviation([1.0, 3.0]) == "2.00 ± 1.41"
    assert (
        comparison_table.mean_and_deviation([0.5], 1, 100) == "50.0" and comparison_table.mean_and_deviation([]) == "–"
    )

"""`distilmt compress`: the search on a toy run, how it resumes, what it reports and what it refuses."""

import json
import lzma
import shutil

import pytest
from helpers import commands

from distilmt.config.loading import load_compress
from distilmt.inference.translator import Translator
from distilmt.recipes import compress
from distilmt.utils.run_dir import read_step

# Few models, all with 4 bits and greedy search: for what does not depend on the number of candidates.
FEW = ["--vocab_min_count=200", "--recovery-steps=4", "--qat_steps=3", "--rounds=0", "--bits=4", "--beam_sizes=1"]
MANY = ["--vocab_min_count=200", "--recovery-steps=4", "--qat_steps=3", "--rounds=1", "--relative_to=student"]
FLAGS = [*MANY, "--bits", "8", "4", "--beam_sizes", "2", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, finished_run):
    place = tmp_path_factory.mktemp("compress") / "run"
    shutil.copytree(finished_run, place, symlinks=True)
    process = commands.distilmt("compress", place, "--max-drop=100", *FLAGS)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert "meets the quality constraint" in process.stdout.decode()
    return place


def budget(run):
    return json.loads((run / "compressed" / "ablation.json").read_text())


def test_the_search_ends_with_the_smallest_that_keeps_the_promise(run):
    result = budget(run)
    remaining = [point for point in result["points"] if point["score"] >= result["floor"]]
    assert result["meets_constraint"] and result["chosen"]["bytes"] == min(point["bytes"] for point in remaining)
    shapes = {point["variant"]["shape"].split("+")[-1] for point in result["points"]}
    assert shapes >= {"student", "longer", "ffn", "qat", "vocabulary"}


def test_the_budget_goes_from_the_teacher_to_what_is_shipped(run):
    stages = budget(run)["stages"]
    labels = [stage["label"] for stage in stages]
    assert (
        labels[:3] == ["teacher", "baseline", "student"]
        and any(label.startswith("in int8") for label in labels)
        and "packed" in labels
        and not stages[0]["against_teacher"]
    )
    for stage in stages[1:]:
        assert set(stage["against_teacher"]) == {"bleu", "chrf"}
    assert stages[-1]["bytes"] < stages[0]["bytes"] and all(stage["speed"]["rounds"] == 1 for stage in stages)
    table = (run / "compressed" / "ablation.md").read_text()
    assert "| teacher |" in table and "✓" in table
    page = (run / "compressed" / "ablation.html").read_text()
    assert page.count("<svg") == 2 and "</html>" in page


def test_what_is_shipped_is_examined(run):
    result = budget(run)
    rows = result["challenge_sets"][result["chosen"]["name"]]
    assert len(rows) > 3
    assert all(row["cases"] > 0 and row["student"] <= row["cases"] for row in rows)
    assert "Challenge sets: " in (run / "compressed" / "ablation.md").read_text()
    assert "Challenge sets" in (run / "compressed" / "ablation.html").read_text()


def test_what_is_shipped_translates(run):
    shipped = Translator(run / "compressed" / "model")
    card = (run / "compressed" / "model" / "README.md").read_text()
    assert "test bleu" in card and "|compressed:" in card and "model.bin.xz" in card and "unxz" in card
    assert shipped.beam_size == budget(run)["chosen"]["variant"]["beam_size"]
    process = commands.distilmt("translate", run, "--system", "compressed", input=b"ban der.\n")
    assert process.returncode == 0 and process.stdout.decode().splitlines() == shipped.translate(
        ["ban der."], shipped.beam_size
    )


def test_models_that_were_cut_are_ordinary_directories(run):
    from distilmt.models.marian_checkpoint import load_marian

    whole = load_marian(run / "student")
    for place in (run / "compressed" / "models").iterdir():
        model = load_marian(place / "student")
        assert read_step(place / "student") is not None and (place / "student" / "source.spm").exists()
        if place.name.endswith("ffn"):
            assert model.config.encoder_ffn_dim < whole.config.encoder_ffn_dim
        if place.name.endswith("vocabulary"):
            assert model.config.vocab_size < whole.config.vocab_size


def content(place, name):
    """Of a file, packed or too small for that."""
    packed = place / f"{name}.xz"
    return (lzma.decompress(packed.read_bytes()) if packed.exists() else (place / name).read_bytes()).decode()


@pytest.mark.slow
def test_with_a_shortlist(run):
    pytest.importorskip("thot")
    process = commands.distilmt(
        "compress", run, "--max-drop=100", *FEW, "--shortlist", "true", "--objective", "fastest"
    )
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    exports = run / "compressed" / "exports"
    (cut,) = exports.glob("*vocabulary-int8_float16-4bit-shortlist-packed")
    for name in ("student-float32-shortlist-packed", cut.name):
        allowed, names = (content(exports / name / "model", file) for file in ("vmap.txt", "shared_vocabulary.json"))
        pieces = set(json.loads(names))
        for line in allowed.splitlines():
            source, _, targets = line.partition("\t")
            assert {*targets.split(), *([source] if source else [])} <= pieces
    assert any(point["variant"]["shortlist"] for point in budget(run)["points"])


def test_a_second_call_trains_nothing_anew(run):
    models = list((run / "compressed" / "models").glob("*/student/model.safetensors"))
    before = {path: path.stat().st_mtime_ns for path in models}
    (run / "compressed" / "ablation.md").unlink()
    process = commands.distilmt("compress", run, "--max-drop=100", *FLAGS, "--objective", "fastest", "--json")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert json.loads(process.stdout)["goal"] == "fastest"
    assert {path: path.stat().st_mtime_ns for path in models} == before


def test_a_model_that_fails_too_often_is_not_chosen(run):
    compress.run(*load_compress([str(run), "--max-drop=100", *FEW, "--max-failures", "0"]))
    strict, table = budget(run), (run / "compressed" / "ablation.md").read_text()
    examined = [point for point in strict["points"] if point["breaches"] is not None]
    assert strict["meets_constraint"] == (strict["chosen"]["breaches"] == []) and strict["max_failures"] == {"all": 0.0}
    assert all(point["breaches"] for point in examined if point["bytes"] < strict["chosen"]["bytes"])
    broken = next(point for point in examined if point["breaches"])["breaches"][0]
    assert broken["rate"] > broken["limit"] == 0 and f"{broken['name']} {100 * broken['rate']:.1f} % > 0.0 %" in table
    page = (run / "compressed" / "ablation.html").read_text()
    assert "Limits of failures" in page and "% &gt; 0.0 %" in page


def test_a_promise_that_none_keeps(run):
    process = commands.distilmt("compress", run, "--max-drop=0", "--metric=chrf", "--relative_to=teacher", *FEW)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    output = budget(run)
    if not output["meets_constraint"]:
        assert "The closest: " in process.stdout.decode()
        assert output["chosen"]["score"] == max(point["score"] for point in output["points"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "compress needs arguments: see"),
        (("--max-drop", "1"), "name a run directory"),
        (("{run}/student",), "no config.yaml"),
        (("{run}", "--objective", "best"), "objective"),
        (("{run}", "--max-dropp", "1"), "max_drop"),
        (("{run}", "--beam_sizes", "0"), "beam_sizes"),
        (("{run}", "--bits", "2"), "bits"),
        (("{run}", "--bits", "4", "--xz", "false"), "xz"),
        (("{run}", "--compute_types", "int3"), "int3"),
        (("{run}", "--jobs", "1000"), "jobs"),
        (("{run}", "--max-drop", "-1"), "max_drop"),
        (("{run}", "--ffn_keep_fraction", "0"), "ffn_keep_fraction"),
        (("{run}", "--baseline", "{run}"), "no model.safetensors"),
        (("{run}", "--max-failures", "5%"), "max_failures is '5%'"),
    ],
)
def test_what_is_refused(finished_run, arguments, message):
    process = commands.distilmt("compress", *(argument.format(run=finished_run) for argument in arguments))
    assert message in commands.error_line(process)


def test_a_run_without_a_student(tmp_path, finished_run):
    (tmp_path / "run").mkdir()
    shutil.copy(finished_run / "config.yaml", tmp_path / "run")
    assert "no trained student" in commands.error_line(commands.distilmt("compress", tmp_path / "run"))

"""Exports with a damaged file: one line that names it, or the same translation; never rubbish, never a traceback."""

import json
import lzma
import shutil

import pytest
from helpers import toy
from helpers.examples import example_count
from helpers.processes import Process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.export.card import Form, ModelCard, renew_files, write_card
from distilmt.inference.translator import Translator
from distilmt.serving.catalog import served_models
from distilmt.utils.checksums import check_checksums, check_step, checksums, read_json_object
from distilmt.utils.errors import UserError

SENTENCE = toy.pairs(1, seed=5)[0][0]
FILES = ["card.json", "config.json", "distilmt.json", "model.bin", "shared_vocabulary.json", "source.spm"]


@pytest.fixture(scope="module")
def model(exported_model, tmp_path_factory):
    """The toy model with a card."""
    place = tmp_path_factory.mktemp("integrity") / "model"
    shutil.copytree(exported_model, place)
    (place / "card.json").unlink(missing_ok=True)
    write_card(place, ModelCard("en", "it", scores={"test bleu": 1.0}), Form("CTranslate2", "ctranslate2", "Use it."))
    return place


@pytest.fixture
def damaged(model, tmp_path):
    """Copies the model and damages one of its files; gives the copy."""

    def damage(name, change, card=True):
        place = tmp_path / "damaged"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(model, place)
        if not card:
            (place / "card.json").unlink()
        content = change((place / name).read_bytes())
        (place / name).unlink() if content is None else (place / name).write_bytes(content)
        return place

    return damage


def flipped(at, bit):
    def change(content):
        place = int(at * len(content))
        return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]

    return change


CHANGES = (
    st.builds(flipped, st.floats(0, 1, exclude_max=True), st.integers(0, 7))
    | st.floats(0, 1, exclude_max=True).map(lambda at: lambda content: content[: int(at * len(content))])
    | st.just(lambda content: None)
    | st.just(lambda content: content + b"\n")
    | st.binary(max_size=40).map(lambda junk: lambda content: junk)
)


@settings(max_examples=example_count(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), change=CHANGES)
def test_a_damaged_file_is_reported_or_does_no_harm(model, damaged, name, change):
    expected = Translator(model, threads=1).translate([SENTENCE])
    place = damaged(name, change)
    for read in (
        lambda: Translator(place, threads=1).translate([SENTENCE]) == expected,
        lambda: served_models([f"en-it={place}"], "student-int8"),
    ):
        try:
            assert read()
        except UserError as error:
            assert ("\n" not in str(error) and name in str(error)) or "card.json" in name


@settings(max_examples=example_count(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["config.json", "distilmt.json", "shared_vocabulary.json", "source.spm"]), change=CHANGES)
def test_without_a_card_whatever_cannot_be_read_is_one_line(damaged, name, change):
    place = damaged(name, change, card=False)
    try:
        Translator(place, threads=1)
    except UserError as error:
        assert "\n" not in str(error) and str(place) in str(error)


@pytest.mark.parametrize("name", FILES[1:])
def test_translate_and_serve_and_speed_end_with_status_2(damaged, name):
    place = damaged(name, flipped(0.5, 2))
    for command in (
        ["distilmt", "translate", place, "--text", "a"],
        ["distilmt", "serve", f"en-it={place}", "--port", "0"],
        ["distilmt.evaluation.speed", place, __file__],
    ):
        process = Process(*command[1:], module=command[0]).completed()
        assert (process.returncode, process.stdout) == (2, b""), command
        message = process.stderr.decode()
        assert len(message.splitlines()) == 1 and name in message and "again" in message


def test_other_forms_and_later_changes_pass(model, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(model, place)
    packed = place / "model.bin.xz"
    packed.write_bytes(lzma.compress((place / "model.bin").read_bytes()))
    (place / "model.bin").unlink()
    check_checksums(place)  # packed by its user
    (place / "distilmt.json").write_text(json.dumps(read_json_object(place / "distilmt.json") | {"beam_size": 2}))
    with pytest.raises(UserError, match=r"distilmt\.json is damaged .* delete card\.json if you changed"):
        check_checksums(place)
    renew_files(place)
    check_checksums(place)
    assert "model.bin.xz" in read_json_object(place / "card.json")["files"]
    (place / "card.json").unlink()
    assert Translator(place, threads=1).beam_size == 2, "an older export has no card"


def test_a_card_reads_nothing_elsewhere(model, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(model, place)
    for name in ("../model/model.bin", "/etc/passwd", "", "a\0b", "x" * 300):
        (place / "card.json").write_text(json.dumps({"files": {name: {"bytes": 1, "sha256": ""}}}))
        with pytest.raises(UserError, match=r"card\.json cannot be read"):
            check_checksums(place)


@settings(max_examples=example_count(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["model.safetensors", "vocab.json"]), st.data())
def test_any_damage_of_a_steps_file_is_noticed(tmp_path, name, data):
    """A bit, an end that is cut off or added, another file of the same size, or none."""
    contents = {"model.safetensors": bytes(range(256)), "vocab.json": b'{"a": 0}', "log.json": b"[]"}
    for each, content in contents.items():
        (tmp_path / each).write_bytes(content)
    listed = checksums(tmp_path, ("*.safetensors", "vocab.json"))
    record = {"name": "student", "fingerprint": "", "inputs": {}, "settings": {}, "seconds": 0, "peak_rss_bytes": 0}
    (tmp_path / "step.json").write_text(json.dumps(record | {"versions": {}, "files": listed}))
    (tmp_path / "log.json").write_bytes(b"[1]")  # is listed nowhere
    check_step(tmp_path)
    whole = contents[name]
    damage = data.draw(st.none() | st.binary(max_size=300).filter(lambda other: other != whole))
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(UserError, match=r"is missing|is damaged") as error:
        check_step(tmp_path)
    assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)

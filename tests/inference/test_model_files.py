"""Damaged and hostile model files give one line before anything of this process opens them."""

import json
import lzma
import random
import shutil
import zipfile

import numpy as np
import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from distilmt.inference.manifest import exported_model, read_model_file
from distilmt.inference.sandbox import check_model_files
from distilmt.inference.sandbox.limits import fault_of
from distilmt.utils import unpacking
from distilmt.utils.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def copy(exported_model, tmp_path):
    return shutil.copytree(exported_model, tmp_path / "model")


def refusal(path):
    with pytest.raises(UserError) as message:
        check_model_files(path)
    assert "\n" not in str(message.value) and str(path) in str(message.value)
    return str(message.value)


def test_whole_models_pass_and_are_remembered(copy, tmp_path, monkeypatch):
    check_model_files(copy)
    monkeypatch.setattr("distilmt.inference.sandbox.limits.run_child", lambda *_, **__: pytest.fail("looked at again"))
    check_model_files(copy)
    check_model_files("a/name-on-the-hub")


def test_a_changed_file_is_looked_at_again(copy):
    check_model_files(copy)
    (copy / "source.spm").write_bytes(b"\x0a\x03junk")
    assert "source.spm cannot be read" in refusal(copy)


def test_an_installation_without_training_checks_models_too(copy, tmp_path, monkeypatch):
    """Without safetensors and tokenizers, which are of the extra `train`, their files are not opened by anybody."""
    (tmp_path / "absent").mkdir()
    for name in ("safetensors", "tokenizers"):
        absent = f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})'
        (tmp_path / "absent" / f"{name}.py").write_text(absent)
    monkeypatch.syspath_prepend(tmp_path / "absent")
    check_model_files(copy)
    (copy / "source.spm").write_bytes(b"\x0a\x03junk")
    assert "source.spm cannot be read" in refusal(copy)


@pytest.mark.parametrize("name", ["model.bin", "source.spm", "config.json", "shared_vocabulary.json"])
def test_a_cut_file_is_named(copy, name):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 3])
    assert name in refusal(copy)


def test_flipped_heads_give_a_line_or_pass(copy):
    """The first bytes of a model state how much is to be read; of many flips none ends this process."""
    data, chance = (copy / "model.bin").read_bytes(), random.Random(1)
    message = 0
    for place in [*chance.sample(range(200), 5), 0, 4]:
        (copy / "model.bin").write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            check_model_files(copy)
        except UserError as error:
            message += 1
            assert "\n" not in str(error)
    assert message >= 2


def test_a_tensor_of_terabytes_is_not_requested(copy):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    (copy / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert "model.safetensors cannot be read" in refusal(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [("encoder_layers", 10**9), ("num_layers", -1), ("vocab_size", 10**10), ("d_model", "32"), ("hidden_size", 1e9)],
)
def test_a_configuration_larger_than_its_weights_is_refused(tmp_path, key, value):
    place = tmp_path / "model"
    place.mkdir()
    save_file({"encoder.weight": np.zeros((7, 4), np.float32)}, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps({"d_model": 4, "vocab_size": 7, "encoder_layers": 1}))
    check_model_files(place)
    (place / "config.json").write_text(json.dumps({key: value}))
    assert key in refusal(place)


def test_deep_json_is_a_line(copy):
    (copy / "tokenizer.json").write_text("[" * 200_000)
    assert "tokenizer.json" in refusal(copy)


def test_a_packed_bomb_is_refused_in_little_memory(copy, monkeypatch):
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    with lzma.open(copy / "model.bin.xz", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.raises(UserError, match="unpacks to more than 1 MiB"):
        read_model_file(copy, "model.bin")


def test_a_packed_model_is_opened(copy):
    for name in ("model.bin", "source.spm"):
        (copy / f"{name}.xz").write_bytes(lzma.compress((copy / name).read_bytes()))
        (copy / name).unlink()
    check_model_files(copy)
    (copy / "model.bin.xz").write_bytes((copy / "model.bin.xz").read_bytes()[:1000])
    assert "model.bin" in refusal(copy)


def test_an_archive_that_swells_is_not_unpacked(tmp_path):
    package = tmp_path / "a.argosmodel"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("m/model.bin", "w") as file:
        for _ in range(128):
            file.write(bytes(1 << 20))
    assert "unpacks to 128 MiB" in refusal(package)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil"])
def test_an_archive_stays_inside_its_directory(tmp_path, name):
    package = tmp_path / "a.argosmodel"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(name, "x")
    assert "outside itself" in refusal(package)
    assert not (tmp_path / "evil").exists()


@given(data=st.binary(max_size=400), cut=st.integers(0, 600))
@settings(max_examples=50, deadline=None)
def test_any_archive_is_unpacked_or_refused(tmp_path_factory, data, cut):
    place = tmp_path_factory.mktemp("zip")
    with zipfile.ZipFile(place / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", data)
    whole = (place / "a.zip").read_bytes()
    (place / "a.zip").write_bytes(whole[:cut] + data[:7] + whole[cut + 7 :])
    try:
        unpacking.unzip(place / "a.zip", place / "out")
    except UserError as error:
        assert "\n" not in str(error)


@given(parts=st.lists(st.binary(max_size=3000), min_size=1, max_size=3), padding=st.integers(0, 2))
@settings(max_examples=50, deadline=None)
def test_xz_of_several_streams_is_read_whole(tmp_path_factory, parts, padding):
    path = tmp_path_factory.mktemp("xz") / "a.xz"
    path.write_bytes(b"".join(lzma.compress(part) + bytes(4 * padding) for part in parts))
    assert unpacking.unxz(path) == b"".join(parts)


@given(data=st.binary(max_size=300))
@settings(max_examples=example_count(100), deadline=None)
def test_xz_of_any_bytes_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("xz") / "a.xz"
    path.write_bytes(data)
    try:
        unpacking.unxz(path)
    except UserError as error:
        assert "\n" not in str(error) and str(path) in str(error)


@pytest.mark.parametrize(
    ("lines", "status", "expected"),
    [
        (['{"file": "a.spm"}'], -11, "a.spm crashes the library that reads it (SIGSEGV)"),
        (['{"file": "a.spm"}'], -6, "a.spm crashes the library that reads it (SIGABRT)"),
        (['{"file": "a.spm"}'], -24, "a.spm takes more than 60 s"),
        (['{"file": "a.spm"}', '{"file": "a.spm", "memory": true}'], 1, "a.spm needs more than 1 MiB"),
        (['{"file": "a.spm"}', '{"file": "a.spm", "fault": "why"}'], 1, "a.spm cannot be read (why)"),
        ([], 1, "a file crashes"),
        (['{"file": "a.spm"}'], 0, "a.spm crashes"),
    ],
)
def test_every_end_of_a_child_is_a_line(lines, status, expected):
    assert str(fault_of(lines, status, 60, 1 << 20)).startswith(expected)


def test_a_child_that_read_all_has_no_fault():
    assert fault_of(['{"file": "a.spm"}', '{"done": true}'], 0, 60, 1 << 20) is None


def test_an_export_for_another_program_is_named(tmp_path):
    (tmp_path / "card.json").write_text('{"form": "ONNX, float32"}')
    with pytest.raises(
        UserError, match=r"is an export as ONNX, float32, which other programs run: its README\.md says"
    ):
        exported_model(tmp_path)
    with pytest.raises(UserError, match=r"card\.json is a file: name a run directory"):
        exported_model(tmp_path / "card.json")

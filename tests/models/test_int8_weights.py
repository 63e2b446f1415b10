import shutil
from pathlib import Path

import pytest
import torch
from helpers.pictures import new_picture_model
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from distilmt.config import ModelConfig, TeacherConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.models.architectures import new_model
from distilmt.models.checkpoint import load_model, save_model
from distilmt.models.int8_weights import FILE, dequantized, load_int8, quantized, save_int8
from distilmt.teachers.existing import import_teacher
from distilmt.utils.errors import UserError


@settings(max_examples=30)
@given(rows=st.integers(2, 9), columns=st.integers(1, 9), seed=st.integers(0, 1000), size=st.sampled_from([0, 1, 1e9]))
def test_the_error_is_at_most_half_a_scale(rows: int, columns: int, seed: int, size: float) -> None:
    weight = size * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    restored = dequantized(quantized({"w": weight, "b": weight[0]}))
    largest = weight.abs().amax(dim=1, keepdim=True)
    assert ((restored["w"] - weight).abs() <= largest / 254 * (1 + 1e-3)).all()
    assert torch.equal(restored["b"], weight[0])


def test_restored_weights_stay_the_same_when_they_are_rounded_again() -> None:
    once = dequantized(quantized({"w": torch.randn(5, 7, generator=torch.Generator().manual_seed(1))}))
    twice = dequantized(quantized(once))
    torch.testing.assert_close(twice["w"], once["w"], rtol=1e-6, atol=0)


def test_a_scale_that_would_broadcast_is_refused() -> None:
    packed = {"w": torch.zeros(4, 1, dtype=torch.int8), "w.scale": torch.ones(1, 4)}
    with pytest.raises(ValueError, match="its scale has the shape"):
        dequantized(packed)


@pytest.fixture
def directories(tmp_path: Path, shared_tokenizer: Tokenizer) -> tuple[Path, Path]:
    """A model of random weights in float32, and the same in 8 bits."""
    config = ModelConfig(None, 64, 128, 4, 2, 1, max_positions=32)
    whole, packed = tmp_path / "float32", tmp_path / "int8"
    save_model(new_model(config, shared_tokenizer, 0.0, seed=1), shared_tokenizer, whole)
    shutil.copytree(whole, packed, ignore=shutil.ignore_patterns("*.safetensors"))
    save_int8(load_file(whole / "model.safetensors"), packed)
    return whole, packed


def test_a_model_in_8_bits_is_a_quarter_and_loads(directories: tuple[Path, Path]) -> None:
    whole, packed = directories
    assert (packed / FILE).stat().st_size < 0.35 * (whole / "model.safetensors").stat().st_size
    expected, model = load_model(whole), load_model(packed)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, expected.state_dict()[name], rtol=0, atol=0.01)
    assert load_int8(whole) is None


def test_weights_in_full_precision_come_first(directories: tuple[Path, Path]) -> None:
    whole, packed = directories
    shutil.copyfile(packed / FILE, whole / FILE)
    stored = load_file(whole / "model.safetensors")["model.shared.weight"]
    assert torch.equal(load_model(whole).state_dict()["network.model.shared.weight"], stored)


def test_a_damaged_checkpoint_is_one_line(directories: tuple[Path, Path]) -> None:
    _, packed = directories
    (packed / FILE).write_bytes((packed / FILE).read_bytes()[:500])
    with pytest.raises(UserError, match="is not a Marian model in safetensors"):
        load_model(packed)


def test_a_teacher_in_8_bits_is_copied_in_float32(
    directories: tuple[Path, Path], tmp_path: Path, shared_tokenizer: Tokenizer
) -> None:
    _, packed = directories
    facts = import_teacher(TeacherConfig(str(packed)), ("en", "it"), shared_tokenizer, tmp_path / "teacher")
    assert facts.family == "marian"
    restored, copied = load_model(packed).state_dict(), load_model(tmp_path / "teacher").state_dict()
    assert all(torch.equal(weight, copied[name]) for name, weight in restored.items())


def test_a_student_of_pictures_in_8_bits_loads(tmp_path: Path, shared_tokenizer: Tokenizer) -> None:
    """Kernels of convolutions too; the table of sines stays exact."""
    model = new_picture_model(shared_tokenizer)
    save_model(model, shared_tokenizer, tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    save_int8(whole, tmp_path)
    size = (tmp_path / "model.safetensors").stat().st_size
    (tmp_path / "model.safetensors").unlink()
    assert (tmp_path / FILE).stat().st_size < 0.4 * size
    restored = load_model(tmp_path).state_dict()
    for name, weight in model.state_dict().items():
        rows = weight.flatten(1) if weight.dim() > 1 else weight[:, None]
        errors = (restored[name] - weight).abs().view_as(rows)
        assert (errors <= rows.abs().amax(1, keepdim=True) / 254 * (1 + 1e-3)).all(), name
    positions = "network.model.encoder.embed_positions.weight"
    assert torch.equal(restored[positions], model.state_dict()[positions])

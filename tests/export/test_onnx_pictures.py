"""Students that read pictures as ONNX: the graphs are the model, int8 is small, the card's code translates."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures import COLUMNS_PER_FRAME, RENDERING, new_picture_model, strokes

from distilmt.config import ExportConfig
from distilmt.export.base import TrainedModel
from distilmt.export.ctranslate2_pictures import export_pictures
from distilmt.export.frame_graphs import FrameDecoder, FrameEncoder
from distilmt.inference.image_translator import ImageTranslator
from distilmt.inference.manifest import read_manifest
from distilmt.models.batch import make_frame_batch
from distilmt.rendering.frames import frames_of
from distilmt.utils.checksums import check_checksums
from distilmt.utils.errors import UserError
from distilmt.utils.repetition import longest_repetition
from distilmt.utils.run_dir import read_json

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
Image = pytest.importorskip("PIL.Image")

from distilmt.export.formats import student_exporters  # noqa: E402
from distilmt.export.onnx_pictures import read_by_onnxruntime  # noqa: E402

CONFIG = ExportConfig(student=["float32"], formats=["onnx"])
LINES = [strokes(16 + 32 * number, number) for number in range(15)]


@pytest.fixture(scope="module")
def exports(tmp_path_factory, shared_tokenizer, card) -> Path:
    directory = tmp_path_factory.mktemp("onnx-pictures")
    model = new_picture_model(shared_tokenizer)
    exporter = student_exporters(CONFIG, "whisper", RENDERING)["student-onnx"]
    exporter.export(TrainedModel(model, shared_tokenizer, card), directory / "student-onnx", CONFIG)
    export_pictures(model, shared_tokenizer, directory / "student", "float32", RENDERING)
    return directory


@torch.no_grad()
@pytest.mark.parametrize("count", [8, 7], ids=["even", "odd"])
def test_the_graphs_are_the_model(tokenizer, count):
    """Whole and token by token, for any number of frames."""
    model = new_picture_model(tokenizer)
    pad = model.special_ids.pad
    frames = torch.rand(count, RENDERING.height * COLUMNS_PER_FRAME).numpy()
    tokens = np.array([5, 9, 11, 0])
    batch = make_frame_batch([frames], tokens, np.array([len(tokens)]), pad)
    reference = model.logits(model.decoder_states(batch)[: len(tokens)])
    encoder, decoder = FrameEncoder(model.network), FrameDecoder(model.network, 65)
    states = encoder(torch.from_numpy(frames.T.copy()[None]))
    assert states.shape == (1, 4, 32)
    cache = [torch.zeros(1, 2, 0, 16)] * 4
    prompt = torch.tensor([[pad, pad + 1, *tokens[:-1]]])
    whole = decoder(prompt, states, cache)[0][0, 1:]
    torch.testing.assert_close(whole[:, :-2], reference, atol=1e-4, rtol=1e-4)
    assert (whole[:, -2:] < -1000).all(), "<pad> and <|notimestamps|> are never generated"
    steps, cache = decoder(prompt[:, :2], states, cache)
    for number in range(2, prompt.shape[1]):
        logits, cache = decoder(prompt[:, number : number + 1], states, cache)
        steps = torch.cat([steps, logits], 1)
    torch.testing.assert_close(steps[0, 1:], whole, atol=1e-4, rtol=1e-4)
    assert [tensor.shape[2] for tensor in cache] == [5, 5, 4, 4]


@torch.no_grad()
def test_the_written_graphs_compute_what_pytorch_computes(exports, shared_tokenizer):
    model = new_picture_model(shared_tokenizer)
    path = exports / "student-onnx" / "onnx" / "encoder_model.onnx"
    session = onnxruntime.InferenceSession(path)
    for columns in LINES[::4]:
        features = np.ascontiguousarray(frames_of(columns, COLUMNS_PER_FRAME).T[None])
        (states,) = session.run(None, {"input_features": np.concatenate([features] * 3)})
        expected = FrameEncoder(model.network)(torch.from_numpy(features))
        np.testing.assert_allclose(states, np.concatenate([expected.numpy()] * 3), atol=1e-4)


def test_onnx_runtime_translates_as_ctranslate2_does(exports):
    """CTranslate2 is tested equal to the model elsewhere; it searches again where there is a loop."""
    translator = ImageTranslator(exports / "student", threads=1)
    expected = translator.translate_lines(LINES, beam_size=1)
    translations = read_by_onnxruntime(exports / "student-onnx", LINES)
    pairs = [(a, b) for a, b in zip(translations, expected, strict=True) if longest_repetition(a.split(), 12) <= 4]
    assert len({a for a, _ in pairs}) > 5
    assert [a for a, _ in pairs] == [b for _, b in pairs]
    assert read_by_onnxruntime(exports / "student-onnx", [np.full((40, 16), 255, np.uint8)]) == [""]


def test_int8_is_small_and_near(exports):
    directory = exports / "student-onnx"
    for name in ("encoder_model", "decoder_model_merged"):
        model = onnx.load(directory / "onnx" / f"{name}_quantized.onnx")
        onnx.checker.check_model(model)
        matrices = {i.name: i for i in model.graph.initializer if len(i.dims) == 2 and np.prod(i.dims) >= 64 * 64}
        positions = {name for name in matrices if "positions" in name}
        types = {tensor.data_type for name, tensor in matrices.items() if name not in positions}
        assert types == {onnx.TensorProto.INT8}, f"convolutions and tokens too: {list(matrices)}"
    exact, near = read_by_onnxruntime(directory, LINES), read_by_onnxruntime(directory, LINES, quantized=True)
    assert sum(a.split()[:1] == b.split()[:1] for a, b in zip(exact, near, strict=True)) >= 9


def test_the_manifest_has_the_sizes_of_pictures(exports):
    directory = exports / "student-onnx"
    manifest, reference = (read_json(path / "distilmt.json") for path in (directory, exports / "student"))
    assert manifest == reference and manifest["input"] == "image"
    assert not (directory / "target").exists()
    check_checksums(directory)
    with pytest.raises(UserError, match=r"model\.bin is missing.*an export as ONNX, reads pictures"):
        read_manifest(directory)


def test_the_code_of_the_card_translates_a_file(exports, tmp_path, monkeypatch, capsys):
    expected = read_by_onnxruntime(exports / "student-onnx", LINES)
    columns, translation = next((line, text) for line, text in zip(LINES, expected, strict=True) if text)
    Image.fromarray(columns.T).save(tmp_path / "line.png")
    page = (exports / "student-onnx" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("DIRECTORY", str(exports / "student-onnx")), {})
    assert capsys.readouterr().out == f"{translation}\n"

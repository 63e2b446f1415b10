import json
import sys

import numpy as np
import pytest
import torch
from helpers import toy
from helpers.marian import new_network

from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.errors import UserError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from distilmt.export.consumers import OnnxModel, by_onnxruntime  # noqa: E402
from distilmt.export.graphs import Decoder, Encoder  # noqa: E402
from distilmt.export.onnx import export_onnx  # noqa: E402

TEXTS = [*toy.pairs(60, seed=99)[0], "Zürich 12 (a)", " ".join(["ban"] * 12), ""]


@pytest.fixture(scope="module")
def onnx_export(tmp_path_factory, trained_model, shared_tokenizer, card):
    directory = tmp_path_factory.mktemp("onnx") / "student-onnx"
    export_onnx(load_marian(trained_model), shared_tokenizer, directory, card)
    return directory


@torch.no_grad()
def test_the_graphs_are_the_model(tokenizer):
    """Whole and word by word, with and without padding, whatever the vocabularies."""
    model = new_network(toy.MICRO, tokenizer, 0.0, 2).eval()
    encoder, decoder = Encoder(model), Decoder(model)
    ids = torch.randint(2, 300, (3, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3, [1] + [0] * 6])
    words = torch.randint(2, 300, (3, 5))
    words[:, 0] = tokenizer.pad
    reference = model(input_ids=ids, attention_mask=mask, decoder_input_ids=words).logits[..., :-1]
    states = encoder(ids, mask)
    cache = [torch.zeros(3, 2, 0, 16)] * 4
    torch.testing.assert_close(decoder(words, mask, states, cache)[0][..., :-1], reference, atol=1e-4, rtol=1e-4)
    steps = []
    for word in words.split(1, 1):
        logits, cache = decoder(word, mask, states, cache)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1)[..., :-1], reference, atol=1e-4, rtol=1e-4)
    assert [tensor.shape[2] for tensor in cache] == [5, 5, 7, 7]


def test_more_words_than_positions_are_no_error(onnx_export):
    """transformers.js generates up to 256 tokens whatever the model's positions are, here 64; and texts may be long."""
    model = OnnxModel(onnx_export, "")
    model.config["max_position_embeddings"] = 100
    model.config["eos_token_id"] = -1  # never ends
    assert model.generate(*(np.ones((2, 90), np.int64),) * 2).shape == (2, 99)


def test_onnx_runtime_translates_as_transformers_does(onnx_export, exported_model):
    """CTranslate2's greedy translation is tested equal to transformers' elsewhere."""
    assert by_onnxruntime(onnx_export, TEXTS) == Translator(exported_model).translate(TEXTS, beam_size=1)


def test_int8_is_small_and_near(onnx_export):
    sizes = {path.name: path.stat().st_size for path in (onnx_export / "onnx").iterdir()}
    for name in ("encoder_model", "decoder_model_merged"):
        model = onnx.load(onnx_export / "onnx" / f"{name}_quantized.onnx")
        onnx.checker.check_model(model)
        big = {i.name: i for i in model.graph.initializer if np.prod(i.dims) >= 32 * 300}
        assert {i.data_type for i in big.values()} == {onnx.TensorProto.INT8}, "the words stand there once, in int8"
        assert list(big) == ["words_quantized"]
        assert sizes[f"{name}_quantized.onnx"] < sizes[f"{name}.onnx"]
    exact, near = by_onnxruntime(onnx_export, TEXTS), by_onnxruntime(onnx_export, TEXTS, quantized=True)
    assert sum(a == b for a, b in zip(exact, near, strict=True)) > 0.7 * len(TEXTS)


def test_names_and_shapes_are_those_of_transformers_js(onnx_export):
    session = onnxruntime.InferenceSession(onnx_export / "onnx" / "decoder_model_merged.onnx")
    inputs = {i.name: i.shape for i in session.get_inputs()}
    cached = [f"past_key_values.0.{side}.{kind}" for side in ("decoder", "encoder") for kind in ("key", "value")]
    assert list(inputs) == ["input_ids", "encoder_attention_mask", "encoder_hidden_states", *cached]
    assert inputs[cached[0]] == ["batch_size", 2, "past_decoder_sequence_length", 16]
    outputs = [o.name for o in session.get_outputs()]
    assert outputs == ["logits", *(name.replace("past_key_values", "present") for name in cached)]
    encoder = onnxruntime.InferenceSession(onnx_export / "onnx" / "encoder_model.onnx")
    assert [i.name for i in encoder.get_inputs()] == ["input_ids", "attention_mask"]
    assert [o.name for o in encoder.get_outputs()] == ["last_hidden_state"]
    generation = json.loads((onnx_export / "generation_config.json").read_text())
    assert generation["max_length"] == 64 and generation["num_beams"] == 1


@pytest.mark.slow
def test_split_vocabularies_have_two_tokenizers(tmp_path, split_tokenizer, card, diverse_model):
    model = diverse_model(split_tokenizer)
    export_onnx(model, split_tokenizer, tmp_path / "onnx", card)
    from distilmt.export.ctranslate2 import export

    export(model, split_tokenizer, tmp_path / "ct2", "float32")
    texts = [*toy.pairs(30, seed=9, chinese=True)[0], "Zürich 12"]
    result = by_onnxruntime(tmp_path / "onnx", texts)
    reference = Translator(tmp_path / "ct2", threads=1).translate(texts, beam_size=1)
    assert [a.strip() for a in result] == [b.strip() for b in reference] and len(set(result)) > 10
    assert "target/tokenizer.json" in (tmp_path / "onnx" / "README.md").read_text()


def test_what_is_missing_is_named(tmp_path, shared_tokenizer, card, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.delitem(sys.modules, "onnxscript")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match=r"needs onnxscript: pip install '\.\[onnx\]'"):
        export_onnx(new_network(toy.MICRO, shared_tokenizer, 0.0, 1), shared_tokenizer, tmp_path / "onnx", card)
    assert not list(tmp_path.iterdir())

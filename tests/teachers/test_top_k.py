import json

import numpy as np
import pytest
import torch
from helpers import batches, toy

from distilmt.models.architectures import new_model
from distilmt.models.batch import make_batch
from distilmt.models.checkpoint import load_model, weights_fingerprint
from distilmt.teachers import top_k
from distilmt.teachers.existing import family
from distilmt.teachers.top_k import TopKScorer
from distilmt.training.batching import Ragged
from distilmt.utils.errors import UserError


def batch_of(tokenizer, count=30):
    sources, targets = toy.pairs(count, seed=5, chinese=not tokenizer.shared)
    source, target = Ragged.of(tokenizer.source.encode(sources)), Ragged.of(tokenizer.target.encode(targets))
    sides = [(side.flat.astype(np.int64), side.lengths) for side in (source, target)]
    return make_batch(*sides[0], *sides[1], tokenizer.pad)


def biased(tokenizer):
    """OPUS-MT models have a bias on their logits."""
    model = new_model(toy.MICRO, tokenizer, 0.3, 3)
    model.network.final_logits_bias = torch.randn_like(model.network.final_logits_bias)
    return model


@pytest.fixture
def float32(monkeypatch):
    monkeypatch.setattr(top_k, "pick_dtype", lambda *_: torch.float32)


@torch.no_grad()
def test_scores_are_transformers_top_log_probabilities(tokenizer, float32):
    model, batch = biased(tokenizer), batch_of(tokenizer)
    ids, values = TopKScorer([model], tokenizer, 5)(batch)
    inputs = batches.padded(batch, tokenizer.pad)
    counts = inputs.pop("target_mask").bool()
    logits = model.network.eval()(**inputs).logits[counts]
    logits[:, tokenizer.pad] = -torch.inf  # <pad> is no word
    reference = logits.log_softmax(-1).topk(5)
    assert ids.shape == values.shape == (len(batch.target.ids), 5) and values.dtype == np.float16
    assert (ids == reference.indices.numpy()).mean() > 0.999
    np.testing.assert_allclose(values.astype(np.float32), reference.values.numpy(), atol=6e-3)
    assert (np.diff(values.astype(np.float32), axis=1) <= 0).all()
    assert (np.exp(values.astype(np.float32)).sum(1) <= 1.01).all()


@torch.no_grad()
def test_several_teachers_probabilities_are_averaged(shared_tokenizer, float32):
    models, batch = [biased(shared_tokenizer) for _ in range(3)], batch_of(shared_tokenizer)
    single = [TopKScorer([model], shared_tokenizer, 40)(batch) for model in models]
    ids, values = TopKScorer(models, shared_tokenizer, 2)(batch)
    dense = np.zeros((len(single), len(ids), len(shared_tokenizer.target.tokens)))
    for probabilities, (top, logs) in zip(dense, single, strict=True):
        np.put_along_axis(probabilities, top, np.exp(logs.astype(float)), 1)
    mean = dense.mean(0)
    result = np.take_along_axis(mean, ids, 1)
    np.testing.assert_allclose(result, np.exp(values.astype(float)), rtol=0.02)
    assert (result[:, 0] >= mean.max(1) * 0.98).all()


def test_a_long_batch_is_scored_like_a_short_one(shared_tokenizer, float32, monkeypatch):
    batch = batch_of(shared_tokenizer)
    whole = TopKScorer([biased(shared_tokenizer)], shared_tokenizer, 3)(batch)
    monkeypatch.setattr(top_k, "SCORING_ROWS", 7)
    parts = TopKScorer([biased(shared_tokenizer)], shared_tokenizer, 3)(batch)
    assert np.array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], atol=2e-3)


def test_a_teacher_is_in_eval_mode_and_without_gradients(shared_tokenizer):
    model = biased(shared_tokenizer).train().requires_grad_(True)
    scorer, batch = TopKScorer([model], shared_tokenizer, 3), batch_of(shared_tokenizer)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    first = scorer(batch)
    model.train().requires_grad_(True)  # whatever others do to it between two calls
    second = scorer(batch)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_loaded_teacher_is_in_eval_mode_and_without_gradients(trained_model):
    model = load_model(trained_model)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.embeddings().target.weight[-1].any()


def test_the_learnt_teacher_is_sure_of_its_words(trained_model, shared_tokenizer):
    batch = batch_of(shared_tokenizer)
    ids, values = TopKScorer([load_model(trained_model)], shared_tokenizer, 4)(batch)
    right = ids[:, 0] == batch.target.ids.numpy()
    assert right.mean() > 0.3 and np.exp(values[:, 0].astype(np.float32)).mean() > 0.3


def test_only_safetensors_are_opened(tmp_path, shared_tokenizer):
    model = new_model(toy.MICRO, shared_tokenizer, 0.0, 1)
    model.network.config.save_pretrained(tmp_path)
    torch.save(model.network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="not a Marian model in safetensors"):
        load_model(tmp_path)
    with pytest.raises(UserError, match=r"no \.safetensors"):
        weights_fingerprint(tmp_path)


def test_what_is_no_teacher_is_reported(tmp_path, trained_model):
    with pytest.raises(UserError, match="cannot be loaded"):
        family(str(tmp_path / "nothing"))
    assert family(str(trained_model)) == "marian"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(UserError, match="gpt2 model: choose a sequence-to-sequence"):
        family(str(tmp_path))
    for text in ("{", '{"model_type": "nobody_knows"}', "{}"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(UserError, match="cannot be loaded"):
            family(str(tmp_path))


def test_damaged_weights_are_reported(tmp_path, trained_model):
    (tmp_path / "config.json").write_text((trained_model / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((trained_model / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UserError, match="not a Marian model"):
        load_model(tmp_path)


def test_fingerprint_stands_for_weights_and_configuration(tmp_path, trained_model, shared_tokenizer):
    new_model(toy.MICRO, shared_tokenizer, 0.0, 1).save(tmp_path)
    first = weights_fingerprint(tmp_path)
    assert first == weights_fingerprint(tmp_path) != weights_fingerprint(trained_model)
    (tmp_path / "log.json").write_text("")
    assert weights_fingerprint(tmp_path) == first
    (tmp_path / "config.json").write_text("{}")
    assert weights_fingerprint(tmp_path) != first

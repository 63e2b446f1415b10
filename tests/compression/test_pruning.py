import copy

import pytest
import torch
from helpers import batches, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from distilmt.compression.importance import CalibrationSample, cross_entropy, norms, pairs, sample
from distilmt.compression.magnitude import magnitude, storage
from distilmt.compression.pruning import (
    drop_layers,
    lowest_heads,
    mask_heads,
    narrow_ffn,
    round_width,
)
from distilmt.config import CorpusConfig, ObjectiveConfig, RunConfig, TrainingConfig
from distilmt.export.ctranslate2 import export
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.architectures import new_model
from distilmt.models.batch import KINDS
from distilmt.models.checkpoint import load_model
from distilmt.models.presets import parameter_count
from distilmt.pipeline.steps.fit_model import fit_model
from distilmt.pipeline.steps.train import prepare_corpus, reference_set
from distilmt.training.trainer import TrainingJob, train
from distilmt.utils.errors import UserError

REFERENCES = ObjectiveConfig(kd_weight=0, ce_weight=1, reference_fraction=1)


@torch.no_grad()
def logits(model, measured):
    """By transformers, of all words of a sample."""
    actual = []
    for batch, _ in measured.batches:
        inputs = batches.padded(batch, model.special_ids.pad)
        mask = inputs.pop("target_mask").bool()
        actual.append(model.network(**inputs).logits[mask])
    return torch.cat(actual)


def modules(model, stack):
    """The layers of a stack, as transformers has them."""
    return [layer.module for layer in model.layers(stack)]


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@given(
    st.sets(st.integers(0, 2), min_size=1).map(sorted),
    st.sets(st.integers(0, 1), min_size=1).map(sorted),
)
@settings(max_examples=12, deadline=None)
def test_dropping_layers_is_skipping_them(untouched, measured, encoder, decoder):
    model = untouched
    pruned = drop_layers(model, encoder, decoder)
    assert (pruned.dimensions.encoder.layers, pruned.dimensions.decoder.layers) == (len(encoder), len(decoder))
    assert parameter_count(pruned) < parameter_count(model) or len(encoder) + len(decoder) == 5
    skipping = copy.deepcopy(model)
    network, whole = skipping.network, model.network.model
    network.model.encoder.layers = nn.ModuleList(whole.encoder.layers[i] for i in encoder)
    network.model.decoder.layers = nn.ModuleList(whole.decoder.layers[i] for i in decoder)
    network.config.use_cache = False
    close(logits(pruned, measured), logits(skipping, measured))


@pytest.mark.parametrize("keep", [[], [0, 0], [1, 0], [-1], [3]])
def test_layers_that_are_none_are_refused(deep, keep):
    with pytest.raises(UserError, match="list some of 0 to 2, in ascending order"):
        drop_layers(deep, keep, [0])


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_units_without_output_are_not_missed(deep, measured, activation):
    from transformers.activations import ACT2FN

    deep.network.config.activation_function = activation
    generator = torch.Generator().manual_seed(3)
    for stack in ("encoder", "decoder"):
        for layer in modules(deep, stack):
            layer.activation_fn = ACT2FN[activation]
            dead = torch.randperm(64, generator=generator)[:24]
            layer.fc2.weight.data[:, dead] = 0
    pruned = narrow_ffn(deep, 40, 40, norms(deep))
    assert pruned.dimensions.encoder.ffn_dim == pruned.dimensions.decoder.ffn_dim == 40
    close(logits(pruned, measured), logits(deep, measured))


def test_units_keep_their_weights_and_order(deep):
    scores = {stack: [torch.rand(64) for _ in modules(deep, stack)] for stack in ("encoder", "decoder")}
    pruned = narrow_ffn(deep, 16, 48, scores)
    for stack, width in (("encoder", 16), ("decoder", 48)):
        for own, reference, score in zip(modules(pruned, stack), modules(deep, stack), scores[stack], strict=True):
            units = [i for i in range(64) if score[i] >= score.sort(descending=True).values[width - 1]]
            assert torch.equal(own.fc1.weight, reference.fc1.weight[units])
            assert torch.equal(own.fc1.bias, reference.fc1.bias[units])
            assert torch.equal(own.fc2.weight, reference.fc2.weight[:, units])
            assert torch.equal(own.fc2.bias, reference.fc2.bias)
            assert torch.equal(own.self_attn.q_proj.weight, reference.self_attn.q_proj.weight)


@pytest.mark.parametrize("widths", [(0, 64), (64, 65)])
def test_impossible_widths_are_refused(deep, widths):
    with pytest.raises(UserError, match="must be from 1 to 64"):
        narrow_ffn(deep, *widths, norms(deep))


def test_friendly_widths():
    assert [round_width(w) for w in (1, 24, 25, 100, 512)] == [16, 32, 32, 96, 512]
    assert round_width(100, 64) == 128 and round_width(1, 64) == 64


def test_masked_heads_are_silent(deep, measured):
    """Held against the states that leave the heads, multiplied by zero."""
    heads = {"encoder": [[0], [], [1]], "cross": [[1], [0]]}
    masked = mask_heads(deep, heads)
    silenced = copy.deepcopy(deep)
    for kind, by_layer in heads.items():
        for attention, chosen in zip(silenced.attentions(kind), by_layer, strict=True):
            mask = torch.ones(2, 16)
            mask[chosen] = 0
            mask = mask.flatten()
            attention.output.register_forward_pre_hook(lambda _, given, mask=mask: given[0] * mask)
    close(logits(masked, measured), logits(silenced, measured))
    assert (logits(masked, measured) - logits(deep, measured)).abs().max() > 0.01
    assert parameter_count(masked) == parameter_count(deep)


def test_the_least_heads():
    scores = {"encoder": torch.tensor([[0.3, 0.1], [0.9, 0.05]]), "cross": torch.tensor([[0.2, 0.7]])}
    assert lowest_heads(scores, 0) == {"encoder": [[], []], "cross": [[]]}
    assert lowest_heads(scores, 3) == {"encoder": [[1], [1]], "cross": [[0]]}


def shapes(model):
    return {
        "layers": drop_layers(model, [0, 2], [1]),
        "units": narrow_ffn(model, 32, 16, norms(model)),
        "heads": mask_heads(model, {kind: [[0] for _ in model.attentions(kind)] for kind in KINDS}),
        "weights": magnitude(model, 0.5),
    }


def test_a_pruned_model_is_a_model_like_any_other(tmp_path, deep, shared_tokenizer):
    """It is saved, loaded, exported, and translates as transformers does (which counts the layers of its cache)."""
    deep.network.generation_config.num_beams = 3
    state = {name: value.clone() for name, value in deep.state_dict().items()}
    texts = toy.pairs(5, seed=9)[0]
    for name, pruned in shapes(deep).items():
        pruned.network.save_pretrained(tmp_path / name)
        again = load_model(tmp_path / name)
        assert all(torch.equal(value, again.state_dict()[key]) for key, value in pruned.state_dict().items())
        assert pruned.network.generation_config.num_beams == 3
        export(again.network, shared_tokenizer, tmp_path / name / "ct2", "float32")
        actual = Translator(tmp_path / name / "ct2", threads=1).hypotheses(texts, DecodingOptions(beam_size=1))
        ids = {piece: i for i, piece in enumerate(shared_tokenizer.target.tokens)}
        for text, hypotheses in zip(texts, actual, strict=True):
            reference = again.network.generate(
                torch.tensor(shared_tokenizer.source.encode([text])),
                num_beams=1,
                max_length=64,
                bad_words_ids=[[shared_tokenizer.pad]],
                forced_eos_token_id=None,
            )[0].tolist()
            ours = [ids[token] for token in hypotheses[0].tokens]
            assert ours == [i for i in reference[1:] if i not in (0, shared_tokenizer.pad)], name
    assert all(torch.equal(value, deep.state_dict()[name]) for name, value in state.items())  # nobody changed it


def test_a_loaded_model_can_be_trained_once_pruned(trained_model):
    """`load_model` gives models without gradients."""
    loaded = load_model(trained_model)
    for pruned in (narrow_ffn(loaded, 32, 32, norms(loaded)), magnitude(loaded, 0.2), drop_layers(loaded, [0], [0])):
        learning = {name for name, p in pruned.named_parameters() if p.requires_grad}
        assert learning == {name for name, _ in pruned.named_parameters() if "embed_positions" not in name}


@given(st.floats(0, 0.99))
@settings(max_examples=15, deadline=None)
def test_the_smallest_weights_go(shared_tokenizer, share):
    model = new_model(toy.MICRO, shared_tokenizer, 0.0, 3)
    sizes = torch.cat([m.detach().abs().flatten() for m in model.matrices()])
    after = torch.cat([m.detach().abs().flatten() for m in magnitude(model, share).matrices()])
    gone = after == 0
    zeros = int((sizes == 0).sum())
    assert int(gone.sum()) == max(zeros, int(share * len(sizes)))
    assert torch.equal(after[~gone], sizes[~gone])
    assert not gone.any() or gone.all() or sizes[gone].max() <= sizes[~gone].min()


def test_a_share_of_every_matrix(deep):
    pruned = magnitude(deep, 0.7, "matrix")
    for before, after in zip(deep.matrices(), pruned.matrices(), strict=True):
        assert int((after == 0).sum()) == max(int(0.7 * before.numel()), int((before == 0).sum()))
    different = [int((m == 0).sum()) / m.numel() for m in magnitude(deep, 0.7).matrices()]
    assert max(different) - min(different) > 0.1
    for (name, p), (_, q) in zip(deep.named_parameters(), pruned.named_parameters(), strict=True):
        assert p.dim() == 2 or torch.equal(p, q), name


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_impossible_shares_are_refused(deep, share):
    with pytest.raises(UserError, match="must be ≥ 0 and < 1"):
        magnitude(deep, share)


def test_storage_of_zeros(deep):
    actual, rows = storage(magnitude(deep, 0.75), 4), sum(len(m) + 1 for m in deep.matrices())
    count = sum(m.numel() for m in deep.matrices())
    left = count - int(0.75 * count)
    assert actual.zeros == pytest.approx(0.75, abs=1e-4) and actual.dense == 4 * count
    assert actual.indexed == 6 * left + 4 * rows and actual.bitmap == 4 * left + -(-count // 8)
    assert storage(magnitude(deep, 0.25), 1).indexed > storage(deep, 1).dense  # a column takes more than a byte


def corpus(tmp_path):
    names = toy.write_corpus(tmp_path / "text", 300)
    given = CorpusConfig(source="en", target="it", train=names, valid_size=20, test_size=20)
    config = RunConfig(run_dir=str(tmp_path / "run"), corpus=given)
    prepare_corpus(config, tmp_path / "run" / "corpus")
    return config


TRAINING = TrainingConfig(
    max_steps=16,
    batch_tokens=400,
    learning_rate=3e-3,
    warmup_steps=2,
    eval_steps=16,
    eval_sentences=20,
    precision="fp32",
    dropout=0.0,
    ema_decay=0.8,
)


def test_a_pruned_model_recovers(tmp_path, trained_model, shared_tokenizer):
    """The trainer takes it as it takes a fresh one, and a few updates win back what pruning cost."""
    config, whole = corpus(tmp_path), load_model(trained_model)
    pruned = narrow_ffn(whole, 16, 16, norms(whole))
    data = reference_set(tmp_path / "run" / "corpus", shared_tokenizer, 64)
    result = fit_model(
        pruned, TrainingJob("pruned", data, TRAINING, REFERENCES, 1), shared_tokenizer, config, tmp_path / "student"
    )
    again, measured = load_model(tmp_path / "student"), CalibrationSample(sample(data, 2))
    before = cross_entropy(narrow_ffn(whole, 16, 16, norms(whole)), measured)
    assert again.dimensions.encoder.ffn_dim == 16 and result.updates == 16
    assert cross_entropy(again, measured) < before - 0.1


def test_a_bias_on_the_logits_is_trained_with(tmp_path, trained_model, shared_tokenizer):
    """OPUS-MT models have one: what is trained is what transformers computes with it, and the bias stays."""
    model = drop_layers(load_model(trained_model), [0], [0])
    model.network.final_logits_bias.normal_(generator=torch.Generator().manual_seed(1))
    data = pairs(shared_tokenizer, *toy.pairs(10), 64)
    expected, bias = cross_entropy(model, CalibrationSample(sample(data))), model.network.final_logits_bias.clone()
    config = TrainingConfig(**vars(TRAINING) | {"max_steps": 1, "batch_tokens": 4096})
    trained, _, log = train(
        model, TrainingJob("biased", data, config, REFERENCES, 1), lambda _: {"bleu": 1.0, "chrf": 1.0}, tmp_path
    )
    assert log[0]["train_loss"] == pytest.approx(expected, rel=1e-4)
    assert torch.equal(trained.network.final_logits_bias, bias)


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_zeros_stay_zero_in_training(tmp_path, trained_model, shared_tokenizer, measured, optimizer):
    whole = load_model(trained_model)
    data = pairs(shared_tokenizer, *toy.pairs(200), 64)
    config = TrainingConfig(**vars(TRAINING) | {"optimizer": optimizer, "weight_decay": 0.01})
    actual = {}
    for keep in (True, False):
        pruned = magnitude(whole, 0.6)
        masks = [m != 0 for m in pruned.matrices()]
        before = cross_entropy(pruned, measured)
        job = TrainingJob("sparse", data, config, REFERENCES, 1, keep_zeros=keep)
        actual[keep], *_ = train(pruned, job, lambda _: {"bleu": 1.0, "chrf": 1.0}, tmp_path / str(keep))
        assert cross_entropy(actual[keep], measured) < before
    for mask, remaining, free in zip(masks, actual[True].matrices(), actual[False].matrices(), strict=True):
        assert not remaining[~mask].any() and remaining[mask].all()
        assert free[~mask].any()
    biases = [p for p in actual[True].parameters() if p.dim() == 1]
    assert all(p.any() for p in biases)  # those that began at zero do learn

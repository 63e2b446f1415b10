import math

import pytest
import torch
from helpers import batches, toy
from torch.nn import functional as F

from distilmt.compression import importance
from distilmt.compression.importance import (
    CalibrationSample,
    choose_layers,
    contributions,
    cross_entropy,
    layer_rises,
    mean_activations,
    norms,
    pairs,
    taylor_heads,
    taylor_units,
)
from distilmt.compression.pruning import drop_layers, lowest_heads, mask_heads, narrow_ffn
from distilmt.config import ObjectiveConfig
from distilmt.losses.distillation import TokenTargets
from distilmt.models.batch import KINDS
from distilmt.models.checkpoint import load_model


def modules(model, stack):
    """The layers of a stack, as transformers has them."""
    return [layer.module for layer in model.layers(stack)]


def one_by_one(measured, pad):
    """Every sentence of a sample, as transformers wants it."""
    for batch, targets in measured.batches:
        inputs = batches.padded(batch, pad)
        mask = inputs.pop("target_mask").bool()
        rows = targets.ids.split(mask.sum(1).tolist())
        for i, ids in enumerate(rows):
            source = int(inputs["attention_mask"][i].sum())
            yield inputs["input_ids"][i : i + 1, :source], inputs["decoder_input_ids"][i : i + 1, : len(ids)], ids


def loss_of(model, source, shifted, ids):
    """Summed cross-entropy without <pad>, by transformers."""
    logits = model.network(input_ids=source, decoder_input_ids=shifted).logits[0, :, :-1]
    return F.cross_entropy(logits, ids, reduction="sum")


def biased(model):
    """OPUS-MT models have a bias on their logits."""
    model.network.final_logits_bias.normal_(std=0.5, generator=torch.Generator().manual_seed(2))
    return model


def test_cross_entropy_is_that_of_transformers(deep, measured, shared_tokenizer):
    model = biased(deep)
    with torch.no_grad():
        losses = [(float(loss_of(model, *s)), len(s[2])) for s in one_by_one(measured, shared_tokenizer.pad)]
    expected = sum(loss for loss, _ in losses) / sum(count for _, count in losses)
    assert cross_entropy(model, measured) == pytest.approx(expected, rel=1e-5)


def test_a_sample_is_some_of_the_pairs(shared_tokenizer):
    data = pairs(shared_tokenizer, *toy.pairs(100), 64)
    result = importance.sample(data, 2, 200)
    assert len(result) == 2 and all(0 < len(targets.ids) <= 200 for _, targets in result)
    assert torch.equal(result[1][1].ids, importance.sample(data, 2, 200)[1][1].ids)
    assert sum(len(t.ids) for _, t in importance.sample(data, 999)) == int(data.reference.tokens.lengths.sum())


def test_rises_are_differences(deep, measured):
    result, whole = layer_rises(deep, measured), cross_entropy(deep, measured)
    without = cross_entropy(drop_layers(deep, [0, 2], [0, 1]), measured)
    assert result["encoder"][1] == pytest.approx(without - whole, abs=1e-6)
    assert [len(rises) for rises in result.values()] == [3, 2]
    one = drop_layers(deep, [0, 1], [1])
    assert math.isnan(layer_rises(one, measured)["decoder"][0])


@torch.no_grad()
def idle(layer):
    """A layer that adds nothing: what comes in was normalised before."""
    across = [layer.encoder_attn.out_proj] if hasattr(layer, "encoder_attn") else []
    for linear in (layer.self_attn.out_proj, layer.fc2, *across):
        linear.weight.zero_()
        linear.bias.zero_()
    for name, p in layer.named_parameters():
        if "layer_norm" in name:
            p.fill_(1.0 if name.endswith("weight") else 0.0)


@torch.no_grad()
def plain_norms(layer):
    layer.final_layer_norm.weight.fill_(1)
    layer.final_layer_norm.bias.fill_(0)


def test_idle_layers_go_first(deep, measured):
    for stack, number in (("encoder", 1), ("decoder", 1)):
        plain_norms(modules(deep, stack)[number - 1])
        idle(modules(deep, stack)[number])
    rises = layer_rises(deep, measured)
    assert abs(rises["encoder"][1]) < 1e-3 and abs(rises["decoder"][1]) < 1e-3
    whole = cross_entropy(deep, measured)
    choice = choose_layers(deep, 2, 1, CalibrationSample(measured.batches))
    # On random weights another layer may be worse than none; what is promised is the lowest loss at every step.
    losses = [cross_entropy(drop_layers(deep, *keep), measured) for keep in one_less(range(3), range(2))]
    assert choice.removed[0][2] == pytest.approx(min(losses), abs=1e-6) and min(losses) <= whole + 1e-3
    assert (len(choice.encoder_keep), len(choice.decoder_keep), len(choice.removed)) == (2, 1, 2)
    last = cross_entropy(drop_layers(deep, choice.encoder_keep, choice.decoder_keep), measured)
    assert choice.removed[-1][2] == pytest.approx(last, abs=1e-6)
    gone = {(stack, number) for stack, number, _ in choice.removed}
    assert gone == {("encoder", n) for n in range(3) if n not in choice.encoder_keep} | {
        ("decoder", n) for n in range(2) if n not in choice.decoder_keep
    }


def one_less(encoder, decoder):
    for n in encoder:
        yield [i for i in encoder if i != n], list(decoder)
    for n in decoder:
        yield list(encoder), [i for i in decoder if i != n]


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_units_are_scored_as_defined(deep, measured, shared_tokenizer, activation):
    """Activations and gradients of every word, by transformers and autograd, sentence by sentence."""
    from transformers.activations import ACT2FN

    model = biased(deep)
    seen, taylor, active, squares = {}, {}, {}, {}
    for stack in ("encoder", "decoder"):
        for number, layer in enumerate(modules(model, stack)):
            layer.activation_fn = ACT2FN[activation]
            layer.fc2.register_forward_pre_hook(lambda _, given, key=(stack, number): seen.update({key: given[0]}))
    for sentence in one_by_one(measured, shared_tokenizer.pad):
        loss = loss_of(model, *sentence)
        gradients = torch.autograd.grad(loss, list(seen.values()))
        for (key, value), gradient in zip(seen.items(), gradients, strict=True):
            taylor[key] = taylor.get(key, 0) + (value * gradient).abs().flatten(0, 1).sum(0)
            active[key] = active.get(key, 0) + value.abs().flatten(0, 1).sum(0)
            squares[key] = squares.get(key, 0) + value.square().flatten(0, 1).sum(0)
    weights = {key: modules(model, key[0])[key[1]].fc2.weight.norm(dim=0) for key in seen}
    adds = {key: total.sqrt() * weights[key] for key, total in squares.items()}
    for measure, expected in ((taylor_units, taylor), (mean_activations, active), (contributions, adds)):
        result = measure(model, measured)
        for (stack, number), score in expected.items():
            torch.testing.assert_close(result[stack][number], score.detach(), atol=2e-4, rtol=1e-3)


def test_heads_are_scored_as_defined(deep, measured, shared_tokenizer):
    """The derivative by a mask on every head, of one sentence at a time (Michel et al. 2019)."""
    masks = {kind: torch.ones(len(deep.attentions(kind)), 2, requires_grad=True) for kind in KINDS}
    for kind in KINDS:
        for number, attention in enumerate(deep.attentions(kind)):
            attention.output.register_forward_pre_hook(
                lambda _, given, kind=kind, number=number: given[0] * masks[kind][number].repeat_interleave(16)
            )
    expected = {kind: torch.zeros_like(mask) for kind, mask in masks.items()}
    for sentence in one_by_one(measured, shared_tokenizer.pad):
        for kind, gradient in zip(
            KINDS, torch.autograd.grad(loss_of(deep, *sentence), list(masks.values())), strict=True
        ):
            expected[kind] += gradient.abs()
    clean = drop_layers(deep, [0, 1, 2], [0, 1])  # without the hooks
    for kind, result in taylor_heads(clean, measured).items():
        torch.testing.assert_close(result, expected[kind], atol=1e-3, rtol=1e-3)


def test_the_objective_may_be_the_teachers_words(deep, measured):
    """Gradients are then those of the words, so that a unit is worth what it does for them."""
    batches = [
        (
            batch,
            TokenTargets(
                t.ids,
                torch.stack([t.ids, (t.ids + 1) % 300], 1),
                torch.tensor([[0.6, 0.3]]).log().expand(len(t.ids), 2),
            ),
        )
        for batch, t in measured.batches
    ]
    words = CalibrationSample(batches, ObjectiveConfig(kd_weight=1, ce_weight=0))
    labels = taylor_units(deep, measured)["encoder"][0]
    assert not torch.allclose(taylor_units(deep, words)["encoder"][0], labels)
    assert cross_entropy(deep, words) == cross_entropy(deep, measured)


def test_the_model_is_left_as_it_was(deep, measured):
    deep.requires_grad_(False)
    taylor_units(deep, measured), taylor_heads(deep, measured), mean_activations(deep, measured)
    assert all(not p.requires_grad and p.grad is None for p in deep.parameters())
    assert not any(m._forward_pre_hooks for m in deep.modules())
    assert isinstance(modules(deep, "encoder")[0].activation_fn, torch.nn.ReLU)


def test_what_matters_is_missed(trained_model, measured):
    """Of a model that has learnt: taking out the most important costs more than the least."""
    model = load_model(trained_model)
    for score in (*(f(model, measured) for f in (taylor_units, mean_activations, contributions)), norms(model)):
        least_units = cross_entropy(narrow_ffn(model, 32, 32, score), measured)
        upside_down = {stack: [-s for s in scores] for stack, scores in score.items()}
        assert least_units < cross_entropy(narrow_ffn(model, 32, 32, upside_down), measured)
    heads = taylor_heads(model, measured)
    worst = lowest_heads({kind: -score for kind, score in heads.items()}, 2)
    assert cross_entropy(mask_heads(model, lowest_heads(heads, 2)), measured) < cross_entropy(
        mask_heads(model, worst), measured
    )

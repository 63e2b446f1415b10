"""Importance of a model's layers, feed-forward units and heads, measured on a sample of sentences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn

from distilmt.compression.pruning import Units, drop_layers
from distilmt.config import ObjectiveConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.losses.distillation import LossSettings, Statistics, TokenTargets, chunked_loss
from distilmt.models.base import STACKS, Seq2SeqModel
from distilmt.models.batch import KINDS, Batch
from distilmt.models.initialization import unit_norms
from distilmt.models.packing import PackedTokens
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, epoch_batches
from distilmt.training.train_step import targets_to


@dataclass
class CalibrationSample:
    """Batches of sentences for measuring importance."""

    batches: list[tuple[Batch, TokenTargets]]
    objective: ObjectiveConfig = field(
        default_factory=lambda: ObjectiveConfig(kd_weight=0, ce_weight=1, reference_fraction=1)
    )
    """The loss for gradients; by default the cross-entropy against the targets."""


def sample(
    data: TrainingSet, batches: int = 16, batch_tokens: int = 2048, seed: int = 1
) -> list[tuple[Batch, TokenTargets]]:
    """At most `batches` random batches, sampled as in training."""
    plan = epoch_batches(data, batch_tokens, seed, 0)
    return [collate(data, rows, references) for rows, references in islice(plan, batches)]


def pairs(tokenizer: Tokenizer, sources: Sequence[str], targets: Sequence[str], max_length: int) -> TrainingSet:
    """Sentence pairs (for example the validation set) for `sample`; pairs longer than `max_length` are left out."""
    target = Ragged.of(tokenizer.target.encode(list(targets)))
    side = TargetSide(target, target.lengths > 1)
    return TrainingSet(Ragged.of(tokenizer.source.encode(list(sources))), side, None, tokenizer.pad, 1.0, max_length)


@torch.no_grad()
def cross_entropy(model: Seq2SeqModel, examples: CalibrationSample) -> float:
    """Cross-entropy against the labels, in nats per target token."""
    losses = [(_loss(model, batch, targets, examples)[1].nll, len(targets.ids)) for batch, targets in examples.batches]
    return float(sum(nll for nll, _ in losses)) / sum(tokens for _, tokens in losses)


def layer_rises(model: Seq2SeqModel, examples: CalibrationSample) -> dict[str, list[float]]:
    """Increase of the cross-entropy (nats per token) when a single layer of `encoder` or `decoder` is removed.

    NaN for the only layer of a stack.
    """
    whole, counts = cross_entropy(model, examples), _counts(model)
    return {
        stack: [
            cross_entropy(_without(model, stack, n), examples) - whole if counts[stack] > 1 else float("nan")
            for n in range(counts[stack])
        ]
        for stack in STACKS
    }


@dataclass
class LayerChoice:
    """The retained layers, for `drop_layers`, and the cost of each removal in order."""

    encoder_keep: list[int]
    decoder_keep: list[int]
    removed: list[tuple[str, int, float]]
    """Stack, layer (index in the original model), and the cross-entropy after this removal."""


def choose_layers(model: Seq2SeqModel, encoder: int, decoder: int, examples: CalibrationSample) -> LayerChoice:
    """Remove layers greedily: in each step the layer, of both stacks, without which the cross-entropy is lowest.

    The remaining layers are measured again after each step.

    Args:
        model: the model; it is not changed.
        encoder: number of encoder layers to retain.
        decoder: number of decoder layers to retain.
        examples: the sentences.
    """
    layer_ids = {stack: list(range(count)) for stack, count in _counts(model).items()}
    target_counts = dict(zip(STACKS, (max(1, encoder), max(1, decoder)), strict=True))
    removed: list[tuple[str, int, float]] = []
    while candidates := [
        (s, n) for s in STACKS if len(layer_ids[s]) > target_counts[s] for n in range(len(layer_ids[s]))
    ]:
        losses = [cross_entropy(_without(model, stack, n), examples) for stack, n in candidates]
        best = min(range(len(candidates)), key=losses.__getitem__)
        stack, number = candidates[best]
        model = _without(model, stack, number)
        removed.append((stack, layer_ids[stack].pop(number), losses[best]))
    return LayerChoice(layer_ids["encoder"], layer_ids["decoder"], removed)


def taylor_units(model: Seq2SeqModel, examples: CalibrationSample) -> Units:
    """First-order change of the loss if a feed-forward unit is removed: |activation · gradient|, summed over tokens.

    See Molchanov et al. 2017 and 2019. If a model is certain, gradients vanish, and so does the importance of the units
    that make it certain: a teacher pruned by this criterion alone did not end its sentences (docs/how-to/prune.md).
    """
    scores = _sum_scores(model, examples, lambda seen: (seen.values * seen.gradient).abs().sum(0), _feed_forwards, True)
    return {stack: list(scores[stack]) for stack in STACKS}


def mean_activations(model: Seq2SeqModel, examples: CalibrationSample) -> Units:
    """|activation| of every feed-forward unit, summed over tokens: cheap, without gradients; ignores later layers."""
    scores = _sum_scores(model, examples, lambda seen: seen.values.abs().sum(0), _feed_forwards, False)
    return {stack: list(scores[stack]) for stack in STACKS}


def contributions(model: Seq2SeqModel, examples: CalibrationSample) -> Units:
    """Contribution of every feed-forward unit to the states: ‖activations over tokens‖₂ · ‖outgoing weights‖₂.

    Wanda's score of a weight (Sun et al. 2023), for all outgoing weights of a unit together. Needs no gradients.
    """
    squared_norms = _sum_scores(model, examples, lambda seen: seen.values.square().sum(0), _feed_forwards, False)
    weights = {
        stack: [layer.feed_forward.outer.weight.detach().norm(dim=0) for layer in model.layers(stack)]  # [ffn_dim]
        for stack in STACKS
    }
    return {
        stack: [s.sqrt() * w for s, w in zip(squared_norms[stack], weights[stack], strict=True)] for stack in STACKS
    }


@torch.no_grad()
def norms(model: Seq2SeqModel) -> Units:
    """Weight norm of every feed-forward unit; needs no sentences."""
    return {stack: [unit_norms(layer.feed_forward) for layer in model.layers(stack)] for stack in STACKS}


def taylor_heads(model: Seq2SeqModel, examples: CalibrationSample) -> dict[str, Tensor]:
    """First-order change of the loss if an attention head is masked: [layers, heads] by kind.

    |∂loss / ∂mask| per sentence at a mask of one, summed over sentences (Michel et al. 2019).
    """
    heads = {kind: model.attentions(kind)[0].heads for kind in KINDS}

    def by_sentence(seen: _LinearInputs) -> Tensor:
        products = (seen.values * seen.gradient).unflatten(1, (heads[seen.kind], -1)).sum(-1)  # [N, heads]
        rows = products.new_zeros(int(seen.sentences.max()) + 1, products.shape[1])
        return rows.index_add_(0, seen.sentences, products).abs().sum(0)

    return _sum_scores(model, examples, by_sentence, _out_projections, True)


@dataclass
class _LinearInputs:
    """Inputs of a linear layer, a row for every token of a batch."""

    kind: str
    values: Tensor
    """[N, width]."""
    gradient: Tensor
    """[N, width]: gradients of the loss in the values; without gradients, the values."""
    sentences: Tensor
    """[N]: index of each token's sentence."""


ModulesByKind = dict[str, list[nn.Module]]


def _feed_forwards(model: Seq2SeqModel) -> ModulesByKind:
    return {stack: [layer.feed_forward.outer for layer in model.layers(stack)] for stack in STACKS}


def _out_projections(model: Seq2SeqModel) -> ModulesByKind:
    return {kind: [attention.output for attention in model.attentions(kind)] for kind in KINDS}


def _sum_scores(
    model: Seq2SeqModel,
    examples: CalibrationSample,
    score: Callable[[_LinearInputs], Tensor],
    pick: Callable[[Seq2SeqModel], ModulesByKind],
    gradients: bool,
) -> dict[str, Tensor]:
    """Scores of the inputs of the picked linear layers, summed over batches: [layers, width of a score] by kind."""
    copied = copy.deepcopy(model).requires_grad_(gradients)
    copied.call_modules()
    picked, inputs = pick(copied), {}
    for linear in (linear for group in picked.values() for linear in group):
        linear.register_forward_pre_hook(lambda module, given: inputs.update({module: given[0]}))
    totals: dict[str, Tensor] = {}
    for batch, targets in examples.batches:
        with torch.set_grad_enabled(gradients):
            loss, _ = _loss(copied, batch, targets, examples)
        values = {kind: [inputs[linear] for linear in group] for kind, group in picked.items()}
        every = [value for group in values.values() for value in group]
        gradient_iterator = iter(torch.autograd.grad(loss, every) if gradients else every)
        for kind, group in values.items():
            side = (batch.source if kind == "encoder" else batch.target).to(loss.device)
            seen = [
                _LinearInputs(
                    kind, _by_token(value.detach(), side), _by_token(next(gradient_iterator), side), side.sentences
                )
                for value in group
            ]
            totals[kind] = totals.get(kind, 0) + torch.stack([score(each) for each in seen])
    return totals


def _by_token(values: Tensor, side: PackedTokens) -> Tensor:
    """Values of a module's input in either layout of `Seq2SeqModel.layers` as [N, width]."""
    return side.flat(values) if values.dim() == 3 else values[: len(side.ids)]


def _loss(
    model: Seq2SeqModel, batch: Batch, targets: TokenTargets, examples: CalibrationSample
) -> tuple[Tensor, Statistics]:
    """The objective summed over a batch, a scalar, and its statistics; always with the bias on the logits."""
    hidden, output = model.decoder_rows(batch.to(model.device)), model.output_layer()  # [rows, d]
    settings = LossSettings(examples.objective)
    targets = targets_to(targets, model.device)
    return chunked_loss(hidden, output.weight, output.bias, targets, settings, vocabulary=model.vocabulary_size)


def _counts(model: Seq2SeqModel) -> dict[str, int]:
    return {stack: model.dimensions.stack(stack).layers for stack in STACKS}


def _without(model: Seq2SeqModel, stack: str, number: int) -> Seq2SeqModel:
    keep = {s: [n for n in range(count) if (s, n) != (stack, number)] for s, count in _counts(model).items()}
    return drop_layers(model, keep["encoder"], keep["decoder"])

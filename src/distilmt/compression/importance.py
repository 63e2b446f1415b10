"""What a model's parts are worth, measured on a sample of sentences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianMTModel

from distilmt.compression.pruning import KINDS, STACKS, Units, attentions, drop_layers, layers
from distilmt.config import ObjectiveConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.losses.distillation import LossSettings, Statistics, Targets, chunked_loss
from distilmt.models.initialization import unit_norms
from distilmt.models.marian_forward import Batch, decoder_rows, words
from distilmt.training.batching import Ragged, Side, TrainingSet, collate, epoch_batches
from distilmt.training.train_step import targets_to


@dataclass
class Sample:
    """Sentences on which importance is measured, in batches."""

    batches: list[tuple[Batch, Targets]]
    objective: ObjectiveConfig = field(default_factory=lambda: ObjectiveConfig(word=0, label=1, reference_share=1))
    """Of which gradients are taken; by default the cross-entropy against the targets."""


def sample(
    data: TrainingSet, batches: int = 16, batch_tokens: int = 2048, seed: int = 1
) -> list[tuple[Batch, Targets]]:
    """At most so many random batches, as training draws them."""
    plan = epoch_batches(data, batch_tokens, seed, 0)
    return [collate(data, rows, references) for rows, references in islice(plan, batches)]


def pairs(tokenizer: Tokenizer, sources: Sequence[str], targets: Sequence[str], max_length: int) -> TrainingSet:
    """Sentence pairs (of valid, say) to draw a sample of; those longer than the model's positions are left out."""
    target = Ragged.of(tokenizer.target.encode(list(targets)))
    side = Side(target, target.lengths > 1)
    return TrainingSet(Ragged.of(tokenizer.source.encode(list(sources))), side, None, tokenizer.pad, 1.0, max_length)


@torch.no_grad()
def cross_entropy(model: MarianMTModel, measured: Sample) -> float:
    """Nats per target token, against the targets themselves."""
    found = [(_loss(model, batch, targets, measured)[1].nll, len(targets.ids)) for batch, targets in measured.batches]
    return float(sum(nll for nll, _ in found)) / sum(tokens for _, tokens in found)


def layer_rises(model: MarianMTModel, measured: Sample) -> dict[str, list[float]]:
    """How much the cross-entropy rises, nats per token, when a layer of `encoder` or `decoder` is left out, each alone.

    NaN for the only layer of a stack.
    """
    whole, counts = cross_entropy(model, measured), _counts(model)
    return {
        stack: [
            cross_entropy(_without(model, stack, n), measured) - whole if counts[stack] > 1 else float("nan")
            for n in range(counts[stack])
        ]
        for stack in STACKS
    }


@dataclass
class LayerChoice:
    """Which layers are kept, for `drop_layers`, and what leaving out the others cost, one after another."""

    encoder_keep: list[int]
    decoder_keep: list[int]
    removed: list[tuple[str, int, float]]
    """Stack, layer (as the whole model counts them), and the cross-entropy without it and those before it."""


def choose_layers(model: MarianMTModel, encoder: int, decoder: int, measured: Sample) -> LayerChoice:
    """Leave out layers until so many are left, always the one without which the cross-entropy is lowest.

    What is left is measured anew after each. Both stacks are looked at together.

    Args:
        model: stays as it is.
        encoder: encoder layers to be left.
        decoder: decoder layers to be left.
        measured: the sentences.
    """
    kept = {stack: list(range(count)) for stack, count in _counts(model).items()}
    wanted, removed = dict(zip(STACKS, (max(1, encoder), max(1, decoder)), strict=True)), []
    while candidates := [(s, n) for s in STACKS if len(kept[s]) > wanted[s] for n in range(len(kept[s]))]:
        losses = [cross_entropy(_without(model, stack, n), measured) for stack, n in candidates]
        best = min(range(len(candidates)), key=losses.__getitem__)
        stack, number = candidates[best]
        model = _without(model, stack, number)
        removed.append((stack, kept[stack].pop(number), losses[best]))
    return LayerChoice(kept["encoder"], kept["decoder"], removed)


def taylor_units(model: MarianMTModel, measured: Sample) -> Units:
    """How much the loss would change, in first order, were a feed-forward unit silent: |activation · gradient|.

    Summed over words (Molchanov et al. 2017 and 2019). Where a model is certain, gradients vanish, and with them the
    worth of what makes it so: a teacher pruned by this alone did not end its sentences (docs/how-to/prune.md).
    """
    found = _summed(model, measured, lambda seen: (seen.values * seen.gradient).abs().sum(0), _feed_forwards, True)
    return {stack: list(found[stack]) for stack in STACKS}


def mean_activations(model: MarianMTModel, measured: Sample) -> Units:
    """|activation| of every feed-forward unit, summed over words: cheap, no gradients, and blind to what follows."""
    found = _summed(model, measured, lambda seen: seen.values.abs().sum(0), _feed_forwards, False)
    return {stack: list(found[stack]) for stack in STACKS}


def contributions(model: MarianMTModel, measured: Sample) -> Units:
    """How much every feed-forward unit adds to the states: ‖its activations over words‖₂ · ‖its outgoing weights‖₂.

    Wanda's score of a weight (Sun et al. 2023), of all weights that leave a unit together. No gradients.
    """
    found = _summed(model, measured, lambda seen: seen.values.square().sum(0), _feed_forwards, False)
    weights = {stack: [layer.fc2.weight.detach().norm(dim=0) for layer in layers(model, stack)] for stack in STACKS}
    return {stack: [s.sqrt() * w for s, w in zip(found[stack], weights[stack], strict=True)] for stack in STACKS}


@torch.no_grad()
def norms(model: MarianMTModel) -> Units:
    """Weight of every feed-forward unit, for which no sentence is needed."""
    return {stack: [unit_norms(layer) for layer in layers(model, stack)] for stack in STACKS}


def taylor_heads(model: MarianMTModel, measured: Sample) -> dict[str, Tensor]:
    """How much the loss would change, in first order, with a mask on an attention head; [layers, heads] by kind.

    |∂loss / ∂mask| of every sentence at a mask of one, summed over sentences (Michel et al. 2019).
    """
    heads = {kind: attentions(model, kind)[0].num_heads for kind in KINDS}

    def by_sentence(seen: _Seen) -> Tensor:
        found = (seen.values * seen.gradient).unflatten(1, (heads[seen.kind], -1)).sum(-1)
        rows = found.new_zeros(int(seen.sentences.max()) + 1, found.shape[1])
        return rows.index_add_(0, seen.sentences, found).abs().sum(0)

    return _summed(model, measured, by_sentence, _out_projections, True)


@dataclass
class _Seen:
    """What went into a linear map, a row for every word of a batch."""

    kind: str
    values: Tensor
    """[words, width]."""
    gradient: Tensor
    """[words, width]: of the loss in them; where none was asked for, the values again."""
    sentences: Tensor
    """[words]: the sentence each word belongs to."""


Picked = dict[str, list[nn.Module]]


def _feed_forwards(model: MarianMTModel) -> Picked:
    return {stack: [layer.fc2 for layer in layers(model, stack)] for stack in STACKS}


def _out_projections(model: MarianMTModel) -> Picked:
    return {kind: [attention.out_proj for attention in attentions(model, kind)] for kind in KINDS}


class _Plain(nn.Module):
    """An activation that the forward pass does not know: it then goes through the modules, where hooks can look."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)  # type: ignore[no-any-return]


def _summed(
    model: MarianMTModel,
    measured: Sample,
    score: Callable[[_Seen], Tensor],
    pick: Callable[[MarianMTModel], Picked],
    gradients: bool,
) -> dict[str, Tensor]:
    """Scores of what goes into the maps picked, summed over batches; [layers, width of a score] by kind."""
    copied = copy.deepcopy(model).requires_grad_(gradients)
    for layer in (layer for stack in STACKS for layer in layers(copied, stack)):
        layer.activation_fn = _Plain(layer.activation_fn)
    picked, inputs = pick(copied), {}
    for linear in (linear for group in picked.values() for linear in group):
        linear.register_forward_pre_hook(lambda module, given: inputs.update({module: given[0]}))
    totals: dict[str, Tensor] = {}
    for batch, targets in measured.batches:
        with torch.set_grad_enabled(gradients):
            loss, _ = _loss(copied, batch, targets, measured)
        values = {kind: [inputs[linear] for linear in group] for kind, group in picked.items()}
        every = [value for group in values.values() for value in group]
        found = iter(torch.autograd.grad(loss, every) if gradients else every)
        for kind, group in values.items():
            side = (batch.source if kind == "encoder" else batch.target).to(loss.device)
            count = len(side.ids)
            seen = [_Seen(kind, value.detach()[:count], next(found)[:count], side.sentences) for value in group]
            totals[kind] = totals.get(kind, 0) + torch.stack([score(each) for each in seen])
    return totals


def _loss(model: MarianMTModel, batch: Batch, targets: Targets, measured: Sample) -> tuple[Tensor, Statistics]:
    """The objective summed over a batch; unlike training, with the bias that OPUS-MT models have on their logits."""
    hidden = decoder_rows(model, batch.to(model.device))
    weight, bias = model.lm_head.weight, model.final_logits_bias[0]
    settings = LossSettings(measured.objective)
    return chunked_loss(hidden, weight, bias, targets_to(targets, model.device), settings, vocabulary=words(model))


def _counts(model: MarianMTModel) -> dict[str, int]:
    return {stack: len(layers(model, stack)) for stack in STACKS}


def _without(model: MarianMTModel, stack: str, number: int) -> MarianMTModel:
    keep = {s: [n for n in range(count) if (s, n) != (stack, number)] for s, count in _counts(model).items()}
    return drop_layers(model, keep["encoder"], keep["decoder"])

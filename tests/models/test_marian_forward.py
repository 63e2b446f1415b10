from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import batches, toy
from torch import nn
from transformers import MarianMTModel

from distilmt.models.batch import States, make_batch
from distilmt.models.dropout import DropoutPool
from distilmt.models.marian import MarianModel, marian_config


def batch_of(tokenizer, seed=0, lengths=((5, 7), (1, 1), (9, 3), (12, 12))):
    """Random words, some of them alone in their sentence, in a batch with padding on both sides."""
    random = np.random.default_rng(seed)
    sides = []
    for side, vocabulary in enumerate((tokenizer.source_pad, tokenizer.pad)):
        sizes = np.array([pair[side] for pair in lengths])
        words = [np.append(random.integers(2, vocabulary, size - 1), 0) for size in sizes]
        sides.append((np.concatenate(words), sizes))
    (source, source_sizes), (target, target_sizes) = sides
    return make_batch(source, source_sizes, target, target_sizes, tokenizer.pad)


def marian(model, batch, part=None):
    """What transformers' own forward pass gives at the target's tokens: last states, or logits of the whole model."""
    inputs = batches.padded(batch, model.special_ids.pad)
    counts = inputs.pop("target_mask").bool()
    network = model.network
    result = network.model(**inputs).last_hidden_state if part == "states" else network(**inputs).logits
    return result[counts]


def model_of(tokenizer, **changes):
    config = marian_config(replace(toy.MICRO, encoder_layers=2, decoder_layers=2), tokenizer, 0.3)
    for key, value in changes.items():
        setattr(config, key, value)
    torch.manual_seed(5)
    model = MarianModel(MarianMTModel(config))
    for parameter in model.parameters():  # biases and layer norms that do nothing would hide mistakes
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.mark.parametrize("activation", ["relu", "swish", "gelu"])
@torch.no_grad()
def test_equals_marian(tokenizer, activation):
    model = model_of(tokenizer, activation_function=activation).eval()
    batch = batch_of(tokenizer)
    ours = model.decoder_states(batch)
    assert ours.shape == (23, model.dimensions.d_model)
    torch.testing.assert_close(ours, marian(model, batch, "states"), atol=2e-5, rtol=1e-4)
    logits = ours @ model.output_layer().weight[: model.vocabulary_size].T
    torch.testing.assert_close(logits, marian(model, batch)[:, :-1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_equals_marian_in_blocks_of_several_widths(shared_tokenizer):
    model = model_of(shared_tokenizer, max_position_embeddings=128).eval()
    random = np.random.default_rng(1)
    lengths = [(60, 3), (5, 40), (33, 34), *map(tuple, random.integers(1, 20, (70, 2)).tolist())]
    batch = batch_of(shared_tokenizer, lengths=lengths)
    assert [width for _, width in batch.blocks] == [32, 64]
    torch.testing.assert_close(model.decoder_states(batch), marian(model, batch, "states"), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_unscaled_embeddings_equal_marian(shared_tokenizer):
    model, batch = model_of(shared_tokenizer, scale_embedding=False).eval(), batch_of(shared_tokenizer)
    torch.testing.assert_close(model.decoder_states(batch), marian(model, batch, "states"), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_neighbours_in_a_row_change_nothing(tokenizer):
    model = model_of(tokenizer)
    alone, other = batch_of(tokenizer, lengths=((5, 7),)), batch_of(tokenizer, seed=1, lengths=((9, 11),))
    ids = [torch.cat([getattr(b, side).ids for b in (other, alone)]).numpy() for side in ("source", "target")]
    together = make_batch(ids[0], np.array([9, 5]), ids[1], np.array([11, 7]), tokenizer.pad)
    assert together.source.cells.max() < 32  # one row
    torch.testing.assert_close(model.decoder_states(together)[11:], model.decoder_states(alone), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_words_to_come_are_not_seen(shared_tokenizer):
    model, batch = model_of(shared_tokenizer), batch_of(shared_tokenizer, lengths=((5, 8),))
    before = model.decoder_states(batch)
    batch.decoder_input[5] = (batch.decoder_input[5] + 1) % 50
    after = model.decoder_states(batch)
    assert torch.equal(before[:5], after[:5])
    assert not torch.equal(before[5:], after[5:])


def test_gradients_equal_marians(tokenizer):
    ours, reference, batch = model_of(tokenizer), model_of(tokenizer).eval(), batch_of(tokenizer)
    logits = ours.decoder_states(batch) @ ours.output_layer().weight.T
    nn.functional.cross_entropy(logits, batch.target.ids).backward()
    nn.functional.cross_entropy(marian(reference, batch), batch.target.ids).backward()
    names = [name for name, parameter in reference.named_parameters() if parameter.grad is not None]
    assert len(names) > 40
    result = dict(ours.named_parameters())
    for name in names:
        expected = dict(reference.named_parameters())[name].grad
        torch.testing.assert_close(result[name].grad, expected, atol=2e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}")


@torch.no_grad()
def test_dropout_off_is_no_dropout(shared_tokenizer):
    model, batch = model_of(shared_tokenizer).train(), batch_of(shared_tokenizer)
    off = DropoutPool(0.0, 10_000, torch.float32, torch.device("cpu"))
    off.begin(1, 1)
    plain = model.decoder_states(batch)
    assert torch.equal(model.decoder_states(batch, off), plain)
    on = DropoutPool(0.3, 10_000, torch.float32, torch.device("cpu"))
    on.begin(1, 1)
    assert not torch.allclose(model.decoder_states(batch, on), plain, atol=1e-2)


@torch.no_grad()
def test_encode_equals_marian(tokenizer):
    model, batch = model_of(tokenizer).eval(), batch_of(tokenizer)
    inputs = batches.padded(batch, tokenizer.pad)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    reference = model.network.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    ours = model.encode(batch)[: len(batch.source.ids)]
    torch.testing.assert_close(ours, reference[mask.bool()], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_states_equal_marians(tokenizer):
    model, batch = model_of(tokenizer).eval(), batch_of(tokenizer)
    inputs = batches.padded(batch, tokenizer.pad)
    counts = inputs.pop("target_mask").bool()
    reference, states = model.network.model(**inputs, output_hidden_states=True), States()
    model.decoder_rows(batch, states=states)
    sides = (
        (states.encoder, reference.encoder_hidden_states, inputs["attention_mask"].bool()),
        (states.decoder, reference.decoder_hidden_states, counts),
    )
    for ours, expected, mask in sides:
        assert len(ours) == len(expected) - 1 == 2  # theirs begin with the embeddings
        for own, other in zip(ours, expected[1:], strict=True):
            torch.testing.assert_close(own, other[mask], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_attention_is_that_of_marian(shared_tokenizer):
    model, batch = model_of(shared_tokenizer).eval(), batch_of(shared_tokenizer)
    model.network.set_attn_implementation("eager")
    inputs = batches.padded(batch, shared_tokenizer.pad)
    inputs.pop("target_mask")
    reference, states = model.network.model(**inputs, output_attentions=True), States(attention={})
    model.decoder_rows(batch, states=states)
    for kind, expected, queries, keys in (
        ("encoder", reference.encoder_attentions, batch.source, batch.source),
        ("decoder", reference.decoder_attentions, batch.target, batch.target),
        ("cross", reference.cross_attentions, batch.target, batch.source),
    ):
        watched = states.attention[kind]
        assert len(watched.scores) == len(expected) == 2
        for [scores], other in zip(watched.scores, expected, strict=True):
            weights = (scores + watched.biases[0]).softmax(-1)
            for sentence in range(4):
                asking, requests = (side.cells[side.sentences == sentence] for side in (queries, keys))
                width = weights.shape[-1]
                own = weights[int(asking[0]) // width][:, asking % width][..., requests % width]
                whole = other[sentence, :, : len(asking), : len(requests)]
                torch.testing.assert_close(own, whole, atol=1e-5, rtol=1e-4)

"""Another architecture goes the whole way through the interface: see `helpers.prenorm`."""

import copy

import numpy as np
import pytest
import torch
from helpers import toy
from helpers.prenorm import PreNormModel

from distilmt.compression import importance
from distilmt.compression.importance import CalibrationSample, cross_entropy, pairs, sample
from distilmt.compression.magnitude import magnitude
from distilmt.compression.pruning import drop_layers, lowest_heads, mask_heads, narrow_ffn
from distilmt.compression.vocabulary import prune_model, used_vocabulary
from distilmt.config import ModelConfig, ObjectiveConfig, TrainingConfig
from distilmt.models.architectures import ARCHITECTURES, architecture_of, new_model
from distilmt.models.batch import States, make_batch
from distilmt.models.beam_search import search
from distilmt.models.checkpoint import load_model, save_model
from distilmt.models.initialization import copy_layers
from distilmt.teachers.forced_decoding import force_decode
from distilmt.teachers.top_k import TopKScorer
from distilmt.teachers.torch_translator import TorchTranslator
from distilmt.training.train_step import Stepper
from distilmt.training.trainer import TrainingJob, train
from distilmt.utils.errors import UserError

SHAPE = ModelConfig(
    d_model=32, ffn_dim=64, num_heads=2, encoder_layers=3, decoder_layers=2, max_positions=64, architecture="prenorm"
)
REFERENCES = ObjectiveConfig(kd_weight=0, ce_weight=1, reference_fraction=1)
TRAINING = TrainingConfig(
    max_steps=120,
    batch_tokens=800,
    learning_rate=8e-3,
    warmup_steps=10,
    eval_steps=120,
    precision="fp32",
    dropout=0.1,
    ema_decay=0.9,
)


@pytest.fixture(scope="module", autouse=True)
def prenorm():
    """The one line of the table."""
    ARCHITECTURES["prenorm"] = "helpers.prenorm:PreNormModel"
    yield
    del ARCHITECTURES["prenorm"]


@pytest.fixture
def fresh(tokenizer):
    return new_model(SHAPE, tokenizer, 0.0, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shared_tokenizer):
    data = pairs(shared_tokenizer, *toy.pairs(400), 64)
    job = TrainingJob("student", data, TRAINING, REFERENCES, 1)
    model = new_model(SHAPE, shared_tokenizer, 0.1, 1)
    directory = tmp_path_factory.mktemp("prenorm")
    best, _, log = train(model, job, lambda _: {"bleu": 1.0, "chrf": 1.0}, directory)
    untrained = cross_entropy(new_model(SHAPE, shared_tokenizer, 0.1, 1), sample_of(data))
    assert log[-1]["train_loss"] < 0.6 * untrained
    return best


def sample_of(data):
    return CalibrationSample(sample(data, 2, 400))


@pytest.fixture(scope="module")
def measured(shared_tokenizer):
    return sample_of(pairs(shared_tokenizer, *toy.pairs(40, seed=5), 64))


def test_the_names_of_the_table_are_those_of_the_classes(tmp_path, fresh, tokenizer):
    assert isinstance(fresh, PreNormModel) and fresh.vocabulary_size == tokenizer.pad == fresh.special_ids.pad
    save_model(fresh, tokenizer, tmp_path)
    assert architecture_of(tmp_path) == "prenorm"
    again = load_model(tmp_path)
    assert again.dimensions == fresh.dimensions
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in fresh.state_dict().items())


def test_unknown_names_are_refused(tokenizer):
    with pytest.raises(UserError, match="architecture 'rnn' is unknown: choose one of marian, prenorm"):
        new_model(ModelConfig(architecture="rnn"), tokenizer, 0.0, 1)


@torch.no_grad()
def test_sentences_do_not_see_each_other(fresh, tokenizer):
    """Forced decoding of a batch is that of its sentences, and records a state for every layer and token."""
    texts = toy.pairs(6, chinese=not tokenizer.shared)
    data = pairs(tokenizer, *texts, 64)
    (batch, _), *_ = sample(data, 1, 10_000)
    states = States()
    whole = fresh.decoder_rows(batch, states=states)
    assert [len(s) for s in states.encoder] == [len(batch.source.ids)] * 3
    assert [len(s) for s in states.decoder] == [len(batch.target.ids)] * 2
    scores = force_decode(fresh, tokenizer, *texts)
    alone = [force_decode(fresh, tokenizer, [source], [target]).nll for source, target in zip(*texts, strict=True)]
    np.testing.assert_allclose(scores.nll, np.concatenate(alone), atol=1e-4)
    assert whole.isfinite().all()


def test_top_k_labels(trained, shared_tokenizer, measured):
    batch, targets = measured.batches[0]
    ids, values = TopKScorer([copy.deepcopy(trained)], shared_tokenizer, 4)(batch)
    assert ids.shape == (len(targets.ids), 4) and (np.exp(values.astype(float)).sum(1) <= 1.01).all()
    assert (ids[:, 0] == targets.ids.numpy()).mean() > 0.3


def test_greedy_search_takes_the_likeliest_token(trained, shared_tokenizer):
    """Forced decoding of a translation finds every token of it the likeliest."""
    sources = toy.pairs(12, seed=8)[0]
    texts = TorchTranslator(trained, shared_tokenizer).translate(sources, beam_size=1)
    rows = [i for i, text in enumerate(texts) if text]
    hypotheses = search(trained, shared_tokenizer.source.encode([sources[i] for i in rows]))
    scorer = TopKScorer([copy.deepcopy(trained)], shared_tokenizer, 1)
    for row, (best,) in zip(rows, hypotheses, strict=True):
        source, target = shared_tokenizer.source.encode([sources[row]])[0], [*best.ids, 0]
        likeliest = scorer(batch_of(source, target, shared_tokenizer.pad))[0][:, 0].tolist()
        assert likeliest == target or len(target) > 64


def batch_of(source, target, pad):
    sides = [(np.array(ids, np.int64), np.array([len(ids)])) for ids in (source, target)]
    return make_batch(*sides[0], *sides[1], pad)


def test_wider_beams_find_likelier_translations(trained, shared_tokenizer):
    sources = shared_tokenizer.source.encode(toy.pairs(12, seed=8)[0])
    greedy, wide = (search(trained, sources, beams=beams, length_penalty=0.0) for beams in (1, 6))
    assert np.mean([a[0].score for a in wide]) > np.mean([a[0].score for a in greedy]) - 1e-6
    many = search(trained, sources, beams=4, num_hypotheses=3)
    assert all(len(each) == 3 and len({tuple(h.ids) for h in each}) == 3 for each in many)
    assert all([h.score for h in each] == sorted((h.score for h in each), reverse=True) for each in many)


def test_samples_differ(trained, shared_tokenizer):
    torch.manual_seed(3)
    source = shared_tokenizer.source.encode(toy.pairs(1, seed=8)[0])
    (samples,) = search(trained, source, num_hypotheses=8, temperature=2.0)
    assert len({tuple(each.ids) for each in samples}) > 4


def test_pruning_through_the_views(trained, measured):
    whole = cross_entropy(trained, measured)
    smaller = narrow_ffn(trained, 32, 48, importance.contributions(trained, measured))
    assert (smaller.dimensions.encoder.ffn_dim, smaller.dimensions.decoder.ffn_dim) == (32, 48)
    worst = {stack: [-s for s in scores] for stack, scores in importance.taylor_units(trained, measured).items()}
    assert cross_entropy(smaller, measured) < cross_entropy(narrow_ffn(trained, 32, 48, worst), measured)
    choice = importance.choose_layers(trained, 2, 1, measured)
    pruned = drop_layers(trained, choice.encoder_keep, choice.decoder_keep)
    assert cross_entropy(pruned, measured) == pytest.approx(choice.removed[-1][2], abs=1e-5)
    heads = importance.taylor_heads(trained, measured)
    masked = cross_entropy(mask_heads(trained, lowest_heads(heads, 2)), measured)
    assert masked < cross_entropy(mask_heads(trained, lowest_heads({k: -s for k, s in heads.items()}, 2)), measured)
    assert cross_entropy(drop_layers(trained, [0, 1, 2], [0, 1]), measured) == pytest.approx(whole)
    matrices = magnitude(trained, 0.5).matrices()
    assert sum(int((m == 0).sum()) for m in matrices) == sum(m.numel() for m in matrices) // 2


def test_a_smaller_vocabulary_keeps_the_other_logits(trained, shared_tokenizer):
    texts = toy.pairs(3, seed=5)
    subset = used_vocabulary(shared_tokenizer, *texts, characters=False)
    smaller = prune_model(trained, subset)
    assert smaller.dimensions.vocabulary == len(subset.target) < trained.dimensions.vocabulary
    ((batch, _),) = sample(pairs(shared_tokenizer, *texts, 64), 1, 10_000)
    new_ids = {int(old): new for new, old in enumerate(subset.target)}
    sides = (batch.source, batch.target)
    (source, source_lengths), (target, target_lengths) = (
        (np.array([new_ids[int(i)] for i in side.ids]), side.sentences.bincount().numpy()) for side in sides
    )
    renamed = make_batch(source, source_lengths, target, target_lengths, smaller.special_ids.start)
    with torch.no_grad():
        whole = trained.logits(trained.decoder_states(batch))[:, subset.target[:-1]]
        torch.testing.assert_close(smaller.logits(smaller.decoder_states(renamed)), whole, atol=1e-4, rtol=1e-4)


def test_initialization_copies_layers_and_all_outside_them(trained, shared_tokenizer, measured):
    student = new_model(SHAPE, shared_tokenizer, 0.1, 5)
    copy_layers(trained, student)
    assert cross_entropy(student, measured) == pytest.approx(cross_entropy(trained, measured))
    marian = new_model(toy.MICRO, shared_tokenizer, 0.0, 1)
    with pytest.raises(UserError, match="architecture is marian, but the teacher's is prenorm"):
        copy_layers(trained, marian)


def test_a_teacher_of_another_architecture_shows_its_states(trained, shared_tokenizer, measured):
    """Hidden states are compared token by token, whatever the layout within either model."""
    objective = ObjectiveConfig(kd_weight=0, ce_weight=0, hidden_state_weight=1.0)
    student = new_model(toy.MICRO, shared_tokenizer, 0.0, 1)
    stepper = Stepper(student, TRAINING, objective, 1, copy.deepcopy(trained))
    before = [p.detach().clone() for p in student.parameters()]
    stepper.update(1, *measured.batches[0])
    assert any(not torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))

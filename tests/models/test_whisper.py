"""Whisper's architecture over frames: transformers, CTranslate2 and the interface agree on random weights."""

from __future__ import annotations

from dataclasses import replace

import ctranslate2
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, WhisperForConditionalGeneration

from distilmt.compression.vocabulary import prune_model, used_vocabulary
from distilmt.config import ModelConfig, RunConfig, TeacherConfig
from distilmt.models.architectures import ARCHITECTURES, architecture_of, new_model
from distilmt.models.batch import Batch, States, make_batch, make_frame_batch
from distilmt.models.checkpoint import load_model
from distilmt.models.whisper import WhisperModel
from distilmt.pipeline.architecture_checks import check_architectures
from distilmt.teachers.existing import import_teacher
from distilmt.utils.errors import UserError

FRAME_SIZE, POSITIONS = 24, 16
SHAPE = ModelConfig(
    d_model=32,
    ffn_dim=64,
    num_heads=2,
    encoder_layers=2,
    decoder_layers=2,
    max_positions=POSITIONS,
    architecture="whisper",
    frame_size=FRAME_SIZE,
)


@pytest.fixture
def model(tokenizer) -> WhisperModel:
    fresh = new_model(SHAPE, tokenizer, 0.0, 1)
    assert isinstance(fresh, WhisperModel)
    for parameter in fresh.parameters():  # biases and norms too: a swapped one must show
        parameter.data += 0.1 * torch.randn_like(parameter)
    return fresh


def pictures(*lengths: int) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.standard_normal((length, FRAME_SIZE), dtype=np.float32) for length in lengths]


def batch_of(model: WhisperModel, sources: list[np.ndarray], *targets: list[int]) -> Batch:
    flat = np.concatenate([np.array(target, np.int64) for target in targets])
    return make_frame_batch(sources, flat, np.array([len(t) for t in targets]), model.special_ids.start)


def test_forward_equals_transformers(model):
    """Its sources have exactly the longest length, the only one that it accepts."""
    sources, targets = pictures(2 * POSITIONS, 2 * POSITIONS), ([5, 6, 7, 0], [8, 9, 4, 0])
    pad = model.special_ids.pad
    inputs = torch.tensor([[pad, pad + 1, *target[:-1]] for target in targets])
    features = torch.from_numpy(np.stack(sources)).transpose(1, 2)  # [B, frame size, frames]
    with torch.no_grad():
        expected = model.network(input_features=features, decoder_input_ids=inputs).logits[:, 1:, :pad]
        logits = model.logits(model.decoder_states(batch_of(model, sources, *targets)))
    torch.testing.assert_close(logits, expected.flatten(0, 1), atol=1e-5, rtol=1e-5)


def test_a_picture_in_a_batch_is_as_if_alone(model):
    sources, targets = pictures(9, 2 * POSITIONS, 1, 12), ([5, 0], [6, 7, 8, 9, 0], [4, 4, 0], [9, 8, 7, 0])
    states = States()
    together = batch_of(model, sources, *targets)
    with torch.no_grad():
        rows = model.decoder_rows(together, states=states)[: 2 + 5 + 3 + 4]
        alone = [model.decoder_states(batch_of(model, [s], t)) for s, t in zip(sources, targets, strict=True)]
    torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-5)
    assert [len(each) for each in states.encoder] == [5 + 16 + 1 + 6] * 2
    assert [len(each) for each in states.decoder] == [2 + 5 + 3 + 4] * 2


def test_a_position_reads_only_what_precedes_it(model):
    (source,) = pictures(10)
    with torch.no_grad():
        first = model.decoder_states(batch_of(model, [source], [5, 6, 7, 0]))
        other = model.decoder_states(batch_of(model, [source], [5, 6, 9, 0]))
    torch.testing.assert_close(first[:3], other[:3])
    assert not torch.allclose(first[3], other[3])


def test_saved_models_are_those_of_transformers(model, tmp_path):
    model.save(tmp_path)
    assert architecture_of(tmp_path) == "whisper"
    loaded = load_model(tmp_path)
    assert isinstance(loaded, WhisperModel) and loaded.dimensions == model.dimensions
    outside = WhisperForConditionalGeneration.from_pretrained(tmp_path)
    for name, weight in model.network.state_dict().items():
        assert torch.equal(weight, loaded.network.state_dict()[name]) and torch.equal(
            weight, outside.state_dict()[name]
        )


def test_damaged_directories_are_refused(model, tmp_path):
    with pytest.raises(UserError, match=r"config\.json is missing"):
        WhisperModel.load(tmp_path)
    model.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="is not a Whisper model in safetensors"):
        WhisperModel.load(tmp_path)


def test_a_table_entry_and_one_line_for_text(tokenizer, model):
    assert ARCHITECTURES["whisper"]
    with pytest.raises(UserError, match="frame_size is not set"):
        new_model(ModelConfig(preset="micro", architecture="whisper"), tokenizer, 0.0, 1)
    text = make_batch(np.array([3, 0]), np.array([2]), np.array([4, 0]), np.array([2]), model.special_ids.start)
    with pytest.raises(UserError, match="reads frames, but the sources are text"):
        model.encode(text)


@pytest.mark.parametrize("section", ["student", "teacher"])
def test_a_run_on_text_refuses_it_before_it_trains(section):
    config = RunConfig()
    getattr(config, section).model = SHAPE
    with pytest.raises(UserError, match=rf"^{section}\.model\.architecture 'whisper' reads frames"):
        check_architectures(config)


def test_it_is_no_teacher_and_its_vocabulary_is_not_pruned(model, tokenizer, tmp_path):
    model.save(tmp_path)
    config = TeacherConfig(path=str(tmp_path))
    with pytest.raises(UserError, match="is a whisper model, which reads no text: choose one that translates text"):
        import_teacher(config, ("en", "it"), tokenizer, tmp_path / "teacher")
    subset = used_vocabulary(tokenizer, ["a"], ["b"])
    with pytest.raises(UserError, match="which reads pictures, cannot be pruned"):
        prune_model(model, subset)


def test_resized_models_have_other_dimensions(model):
    dimensions = replace(model.dimensions, vocabulary=30, max_positions=8)
    smaller = model.resized(dimensions)
    assert smaller.dimensions == dimensions and smaller.special_ids.pad == 29 and smaller.vocabulary_size == 29


def test_gradients_reach_every_weight_and_pictures_are_memorized(tokenizer):
    model = new_model(SHAPE, tokenizer, 0.0, 1)
    targets = ([5, 6, 0], [7, 0], [8, 5, 9, 0], [4, 0])
    batch = batch_of(model, pictures(9, 12, 20, 6), *targets)
    labels = torch.tensor([token for target in targets for token in target])
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert not any("encoder.embed_positions" in name for name in weights)
    optimizer = torch.optim.Adam(weights.values(), 5e-3)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model.logits(model.decoder_states(batch)), labels)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.any() for p in weights.values())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def greedy(model: WhisperModel, source: np.ndarray, length: int) -> list[int]:
    tokens: list[int] = []
    for _ in range(length):
        states = model.decoder_states(batch_of(model, [source], [*tokens, 0]))
        tokens.append(int(model.logits(states[-1:]).argmax()))
        if tokens[-1] == 0:
            break
    return tokens


def test_ctranslate2_translates_the_same(model, tmp_path):
    """With a vocabulary in which `</s>` is Whisper's `<|endoftext|>`, on lengths that transformers refuses."""
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    size, pad = model.network.config.vocab_size, model.special_ids.pad
    names = [f"t{number}" for number in range(size)]
    names[0], names[pad], names[pad + 1] = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
    words = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token=names[0]))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token=names[0], eos_token=names[0]).save_pretrained(
        tmp_path / "model"
    )
    converter = ctranslate2.converters.TransformersConverter(str(tmp_path / "model"))
    whisper = ctranslate2.models.Whisper(converter.convert(str(tmp_path / "export")), compute_type="float32")
    for length in (7, 20, 2 * POSITIONS):
        (source,) = pictures(length)
        features = ctranslate2.StorageView.from_array(np.ascontiguousarray(source.T[None]))
        result = whisper.generate(features, [[pad, pad + 1]], beam_size=1, max_length=24, suppress_blank=False)
        with torch.no_grad():
            expected = greedy(model, source, 12)
        generated = list(result[0].sequences_ids[0])
        assert generated == [number for number in expected[: len(generated)] if number] and len(generated) >= 8

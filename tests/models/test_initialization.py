import copy
from dataclasses import replace

import pytest
import torch
from helpers import toy
from helpers.marian import new_network
from helpers.pictures import SHAPE as PICTURE_SHAPE
from helpers.pictures import new_picture_model
from transformers import MarianMTModel

from distilmt.config import ModelConfig
from distilmt.models.architectures import new_model
from distilmt.models.initialization import copy_layers, copy_pretrained, copy_weights, first_layers, spaced_layers
from distilmt.models.marian import MarianModel, marian_config
from distilmt.models.presets import PRESETS, parameter_count, shape
from distilmt.utils.errors import UserError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_their_shapes(preset):
    assert shape(ModelConfig(preset=preset)) == PRESETS[preset]


def test_keys_next_to_a_preset_win():
    result = shape(ModelConfig(preset="tiny", encoder_layers=1, ffn_dim=7))
    assert result == replace(PRESETS["tiny"], encoder_layers=1, ffn_dim=7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(), "d_model, ffn_dim, num_heads, encoder_layers, decoder_layers not set.*preset.*micro"),
        (ModelConfig(d_model=32, ffn_dim=64, num_heads=2, encoder_layers=1), "decoder_layers not set"),
        (ModelConfig(preset="micro", d_model=130, num_heads=4), "d_model is 130: .* multiple of num_heads, 4"),
        (ModelConfig(preset="micro", d_model=33, num_heads=3), "d_model is 33: it must be even"),
        (ModelConfig(preset="micro", decoder_layers=0), "decoder_layers is 0: it must be ≥ 1"),
        (ModelConfig(preset="micro", num_heads=0), "heads is 0: it must be ≥ 1"),
    ],
)
def test_impossible_shapes_are_refused(config, message):
    with pytest.raises(UserError, match=message):
        shape(config)


def test_a_new_model_is_what_was_requested(tokenizer):
    model = new_network(replace(toy.MICRO, encoder_layers=3, decoder_layers=2), tokenizer, 0.25, 1)
    config = model.config
    assert (config.d_model, config.encoder_ffn_dim, config.decoder_ffn_dim) == (32, 64, 64)
    assert len(model.model.encoder.layers) == 3 and len(model.model.decoder.layers) == 2
    assert (config.encoder_attention_heads, config.decoder_attention_heads) == (2, 2)
    assert config.dropout == 0.25 and config.max_position_embeddings == 64 and model.training
    assert (config.pad_token_id, config.eos_token_id) == (tokenizer.pad, 0)
    assert config.decoder_start_token_id == tokenizer.pad
    encoder, decoder = model.model.encoder.embed_tokens.weight, model.model.decoder.embed_tokens.weight
    assert (encoder is decoder) == tokenizer.shared
    assert model.lm_head.weight is decoder
    assert len(encoder) == len(tokenizer.source.tokens) and len(decoder) == len(tokenizer.target.tokens)
    assert not encoder[-1].any() and not decoder[-1].any() and encoder[:-1].any(1).all()


def test_deeper_layers_start_smaller(tokenizer):
    """Zhang, Titov and Sennrich 2019: 1/√l, whatever the matrix."""
    model = new_network(replace(toy.MICRO, encoder_layers=4, decoder_layers=2), tokenizer, 0.0, 1)
    for stack in (model.model.encoder.layers, model.model.decoder.layers):
        for depth, layer in enumerate(stack, 1):
            rows, columns = layer.fc1.weight.shape
            bound = (6 / (rows + columns)) ** 0.5 / depth**0.5
            assert 0.9 * bound < layer.fc1.weight.abs().max() <= bound
            assert layer.fc1.bias.abs().max() == 0 and layer.final_layer_norm.weight.min() == 1


def test_a_saved_model_comes_back(tmp_path, tokenizer):
    model = new_model(toy.MICRO, tokenizer, 0.0, 1)
    model.save(tmp_path)
    again = MarianMTModel.from_pretrained(tmp_path)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_parameters_are_counted_once(shared_tokenizer):
    model = new_model(toy.MICRO, shared_tokenizer, 0.0, 1)
    d, f, v = 32, 64, len(shared_tokenizer.target.tokens)
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * f + f + d, 2 * d
    assert parameter_count(model) == v * d + (attention + feed_forward + 2 * norm) + (
        2 * attention + feed_forward + 3 * norm
    )


def test_seeds(shared_tokenizer):
    first, same, other = (new_network(toy.MICRO, shared_tokenizer, 0.0, seed).lm_head.weight for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_configuration_is_taken_from_the_tokenizer(split_tokenizer):
    config = marian_config(toy.MICRO, split_tokenizer, 0.0)
    assert config.vocab_size == config.decoder_vocab_size == len(split_tokenizer.target.tokens)
    assert not config.share_encoder_decoder_embeddings and config.tie_word_embeddings


@pytest.mark.parametrize(
    ("count", "total", "layers"),
    [
        (1, 6, [5]),
        (1, 1, [0]),
        (2, 6, [0, 5]),
        (3, 6, [0, 2, 5]),
        (3, 7, [0, 3, 6]),
        (6, 6, [0, 1, 2, 3, 4, 5]),
        (4, 12, [0, 4, 7, 11]),
    ],
)
def test_layers_are_taken_evenly(count, total, layers):
    assert spaced_layers(count, total) == layers


def test_first_layers_are_taken_in_their_order():
    assert first_layers(2, 5) == [0, 1] and first_layers(1, 4) == [0] and first_layers(3, 3) == [0, 1, 2]


def models(tokenizer, encoder=(4, 2), decoder=(3, 1), **changes):
    sizes = [replace(toy.MICRO, encoder_layers=e, decoder_layers=d) for e, d in zip(encoder, decoder, strict=True)]
    return new_model(sizes[0], tokenizer, 0.0, 1), new_model(replace(sizes[1], **changes), tokenizer, 0.0, 2)


def same(a, b):
    return all(torch.equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())


@pytest.mark.parametrize(
    "choose, expected",
    [(spaced_layers, {"encoder": [0, 3], "decoder": [2]}), (first_layers, {"encoder": [0, 1], "decoder": [0]})],
)
def test_layers_are_copied(tokenizer, choose, expected):
    teacher, student = models(tokenizer)
    maps = copy_layers(teacher, student, choose)
    assert maps == expected
    for name, layers in maps.items():
        ours, reference = getattr(student.network.model, name), getattr(teacher.network.model, name)
        assert same(reference.embed_tokens, ours.embed_tokens)
        for layer, index in zip(ours.layers, layers, strict=True):
            assert same(reference.layers[index], layer)
    assert torch.equal(student.output_layer().weight, teacher.output_layer().weight)
    with torch.no_grad():  # copies, not the teacher's own
        student.network.model.encoder.layers[0].fc1.weight.zero_()
    assert teacher.network.model.encoder.layers[0].fc1.weight.any()


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_a_student_of_the_teachers_shape_is_the_teacher(shared_tokenizer, activation):
    """OPUS-MT teachers compute with swish: layers taken over must go on computing what they learnt."""
    teacher, student = models(shared_tokenizer, (2, 2), (2, 2))
    teacher.network.config.activation_function = activation
    teacher = MarianModel(MarianMTModel(teacher.network.config))
    copy_layers(teacher, student)
    again = MarianModel(MarianMTModel(student.network.config))
    again.load_state_dict(student.state_dict())
    ids = torch.tensor(shared_tokenizer.source.encode(["ban der fith."]))
    start = torch.tensor([[shared_tokenizer.pad, 5, 6]])
    with torch.no_grad():
        expected = teacher.network.eval()(input_ids=ids, decoder_input_ids=start).logits
        for model in (student, again):
            assert torch.equal(model.network.eval()(input_ids=ids, decoder_input_ids=start).logits, expected)


def test_training_goes_on_from_a_models_weights(shared_tokenizer):
    trained, model = models(shared_tokenizer, (2, 2), (2, 2))
    assert not same(trained, model)
    copy_weights(trained, model)
    assert same(trained, model)
    with pytest.raises(UserError, match=r"another shape than teacher.model: make teacher.model equal"):
        copy_weights(*models(shared_tokenizer, (3, 2), (2, 2)))


def test_a_student_starts_from_a_trained_one(tokenizer):
    trained, model = models(tokenizer, (2, 2), (2, 2))
    copy_pretrained(trained, model, "all")
    assert same(trained, model)
    with pytest.raises(UserError, match=r"\(encoder_layers is 3 there, 2 here\): make them equal"):
        copy_pretrained(*models(tokenizer, (3, 2), (2, 2)), "all")
    with pytest.raises(UserError, match="the encoder of a student of text has the vocabulary too: set it to all"):
        copy_pretrained(trained, model, "encoder")


def test_the_encoder_of_a_student_of_pictures_starts_alone(shared_tokenizer, split_tokenizer):
    """For another vocabulary, and for longer pictures: positions are computed."""
    trained = new_picture_model(shared_tokenizer)
    model = new_model(replace(PICTURE_SHAPE, max_positions=80, decoder_layers=2), split_tokenizer, 0.0, 7)
    own, other, decoder = model.network.model.encoder, trained.network.model.encoder, model.network.model.decoder
    positions, fresh_decoder = copy.deepcopy((own.embed_positions, decoder))
    copy_pretrained(trained, model, "encoder")
    for name in ("conv1", "conv2", "layers", "layer_norm"):
        assert same(getattr(other, name), getattr(own, name))
    assert same(positions, own.embed_positions) and same(fresh_decoder, decoder)
    with pytest.raises(UserError, match="decoder_layers is 1 there, 2 here; max_positions is 64 there, 80 here; vocab"):
        copy_pretrained(trained, model, "all")
    with pytest.raises(UserError, match=r"\(frame_size is 64 there, 32 here\)"):
        copy_pretrained(trained, new_model(replace(PICTURE_SHAPE, frame_size=32), shared_tokenizer, 0.0, 1), "encoder")
    with pytest.raises(UserError, match="is a whisper model, but the student's architecture is marian"):
        copy_pretrained(trained, models(shared_tokenizer)[1], "encoder")


def test_the_heaviest_units_of_wider_blocks_are_taken(shared_tokenizer):
    """A teacher half of whose units do nothing is the student that has the other half."""
    teacher, student = models(shared_tokenizer, (2, 2), (2, 2), ffn_dim=32)
    with torch.no_grad():
        for layer in (*teacher.network.model.encoder.layers, *teacher.network.model.decoder.layers):
            idle = torch.randperm(64)[:32]
            layer.fc1.weight[idle], layer.fc1.bias[idle] = 0, 0
    copy_layers(teacher, student)
    ids = torch.tensor(shared_tokenizer.source.encode(["ban der fith."]))
    start = torch.tensor([[shared_tokenizer.pad, 5, 6]])
    with torch.no_grad():
        expected = teacher.network.eval()(input_ids=ids, decoder_input_ids=start).logits
        torch.testing.assert_close(student.network.eval()(input_ids=ids, decoder_input_ids=start).logits, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 16}, r"teacher's d_model \(16 ≠ 32\)"),
        ({"ffn_dim": 96}, "encoder_ffn_dim"),
        ({"num_heads": 4}, "encoder_attention_heads"),
        ({"encoder_layers": 5}, "encoder is deeper"),
        ({"decoder_layers": 4}, "decoder is deeper"),
    ],
)
def test_other_shapes_cannot_be_taken_over(shared_tokenizer, changes, message):
    with pytest.raises(UserError, match=message):
        copy_layers(*models(shared_tokenizer, **changes))


def test_other_vocabularies_cannot_be_taken_over(shared_tokenizer, split_tokenizer):
    teacher, _ = models(split_tokenizer)
    _, student = models(shared_tokenizer)
    with pytest.raises(UserError, match="vocab_size"):
        copy_layers(teacher, student)

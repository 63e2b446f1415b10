import ctranslate2
import pytest
import torch
from helpers import toy
from helpers.marian import new_network

from distilmt.export.ctranslate2 import TYPES, export
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.errors import UserError
from distilmt.utils.sizes import total_bytes


def sentences(tokenizer, count=60):
    """Unseen ones, and some that no toy is used to."""
    return [*toy.pairs(count, seed=99, chinese=not tokenizer.shared)[0], "x", "Zürich кот 12 (a)", "ban " * 12]


def peaked(tokenizer, seed=4):
    """Random weights whose probabilities are far apart: a tie is decided by rounding, in either program."""
    model = new_network(toy.MICRO, tokenizer, 0.0, seed).eval()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.mul_(2.0)
    return model


@torch.no_grad()
def generated(model, tokenizer, texts, beams):
    """What transformers generates, ids without specials; padding in the batch is its own business."""
    result = []
    for text in texts:
        ids = torch.tensor(tokenizer.source.encode([text]))
        out = model.generate(
            ids,
            num_beams=beams,
            do_sample=False,
            max_length=model.config.max_position_embeddings,  # the start counts here
            early_stopping=True,
            length_penalty=1.0,
            bad_words_ids=[[tokenizer.pad]],
            forced_eos_token_id=None,
        )[0].tolist()
        result.append([i for i in out[1:] if i not in (0, tokenizer.pad)])
    return result


def translated(directory, tokenizer, texts, beams):
    ids = {piece: i for i, piece in enumerate(tokenizer.target.tokens)}
    result = Translator(directory, threads=1).hypotheses(texts, DecodingOptions(beam_size=beams))
    return [[ids[token] for token in response[0].tokens] for response in result]


def test_greedy_equals_transformers_on_random_weights(tmp_path, tokenizer):
    model = peaked(tokenizer)
    export(model, tokenizer, tmp_path / "ct2", "float32")
    texts = sentences(tokenizer)
    assert len(texts) >= 50
    reference = generated(model, tokenizer, texts, 1)
    assert len({tuple(response) for response in reference}) > 20
    assert translated(tmp_path / "ct2", tokenizer, texts, 1) == reference


@pytest.mark.parametrize("beams", [1, 4])
def test_a_learnt_model_equals_transformers(trained_model, exported_model, shared_tokenizer, beams):
    texts = sentences(shared_tokenizer)
    reference = generated(load_marian(trained_model), shared_tokenizer, texts, beams)
    ours = translated(exported_model, shared_tokenizer, texts, beams)
    same = sum(a == b for a, b in zip(ours, reference, strict=True))
    # Greedy is the same by definition; beams end at slightly different moments in the two programs.
    assert same == len(texts) if beams == 1 else same >= 0.95 * len(texts)


def test_scores_are_log_probabilities(trained_model, exported_model, shared_tokenizer):
    """Divided by the length with `</s>`, as transformers divides them."""
    model, text = load_marian(trained_model), sentences(shared_tokenizer)[0]
    best = Translator(exported_model).hypotheses([text], DecodingOptions(beam_size=4, length_penalty=1.0))[0][0]
    ids = {piece: i for i, piece in enumerate(shared_tokenizer.target.tokens)}
    target = [*(ids[token] for token in best.tokens), 0]
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(shared_tokenizer.source.encode([text])),
            decoder_input_ids=torch.tensor([[shared_tokenizer.pad, *target[:-1]]]),
        ).logits[0, :, :-1]
    logprobs = logits.log_softmax(-1)[range(len(target)), target]
    assert best.score == pytest.approx(float(logprobs.mean()), abs=1e-3)


@pytest.mark.parametrize("compute_type", [t for t in TYPES if t not in ("float16", "bfloat16")])
def test_every_type_loads_and_translates(tmp_path, trained_model, shared_tokenizer, compute_type):
    export(load_marian(trained_model), shared_tokenizer, tmp_path / "ct2", compute_type)
    texts = sentences(shared_tokenizer, 20)
    result = Translator(tmp_path / "ct2").translate(texts, beam_size=1)
    assert len(result) == len(texts) and all(result)
    assert (tmp_path / "ct2" / "distilmt.json").exists()


@pytest.mark.parametrize(("compute_type", "most"), [("int8", 0.45), ("float16", 0.6), ("int16", 0.6)])
def test_smaller_types_are_smaller(tmp_path, trained_model, exported_model, shared_tokenizer, compute_type, most):
    export(load_marian(trained_model), shared_tokenizer, tmp_path / "ct2", compute_type)
    sizes = [(path / "model.bin").stat().st_size for path in (tmp_path / "ct2", exported_model)]
    assert sizes[0] < most * sizes[1]
    assert total_bytes(tmp_path / "ct2") < total_bytes(exported_model)


def test_an_export_needs_nothing_else(tmp_path, tokenizer):
    export(new_network(toy.MICRO, tokenizer, 0.0, 1), tokenizer, tmp_path / "ct2", "int8")
    names = {path.name for path in (tmp_path / "ct2").iterdir()}
    spm = {"source.spm"} if tokenizer.shared else {"source.spm", "target.spm"}
    assert {"model.bin", "config.json", "distilmt.json"} | spm <= names
    assert ctranslate2.contains_model(str(tmp_path / "ct2"))


def test_an_export_is_replaced_whole(tmp_path, shared_tokenizer, monkeypatch):
    path = tmp_path / "ct2"
    export(new_network(toy.MICRO, shared_tokenizer, 0.0, 1), shared_tokenizer, path, "float32")
    before = (path / "model.bin").read_bytes()
    (path / "stray").write_text("")

    broken = type(shared_tokenizer)(tmp_path / "gone", *list(vars(shared_tokenizer).values())[1:])
    with pytest.raises(FileNotFoundError):  # after the weights were written
        export(new_network(toy.MICRO, shared_tokenizer, 0.0, 2), broken, path, "float32")
    assert (path / "model.bin").read_bytes() == before and (path / "stray").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["ct2"]

    export(new_network(toy.MICRO, shared_tokenizer, 0.0, 2), shared_tokenizer, path, "float32")
    assert (path / "model.bin").read_bytes() != before and not (path / "stray").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["ct2"]


def test_exporting_leaves_the_model_as_it_was(tmp_path, shared_tokenizer):
    model = new_network(toy.MICRO, shared_tokenizer, 0.0, 1)
    config, weights = model.config.to_dict(), {k: v.clone() for k, v in model.state_dict().items()}
    export(model, shared_tokenizer, tmp_path / "ct2", "int8")
    assert model.config.to_dict() == config
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in weights.items())


def test_unknown_type_is_refused(tmp_path, shared_tokenizer):
    with pytest.raises(UserError, match="'int9' is unknown: use one of float32, int8"):
        export(new_network(toy.MICRO, shared_tokenizer, 0.0, 1), shared_tokenizer, tmp_path / "ct2", "int9")
    assert not list(tmp_path.iterdir())


def test_int8_with_the_remainder_in_16_bits_is_smaller_and_agrees_without_a_warning(
    trained_model, shared_tokenizer, tmp_path, capfd
):
    sources, output = toy.pairs(20, seed=9)[0], {}
    for compute_type in ("int8", "int8_float16"):
        export(load_marian(trained_model), shared_tokenizer, tmp_path / compute_type, compute_type)
        output[compute_type] = Translator(tmp_path / compute_type).translate(sources)
    sizes = [(tmp_path / name / "model.bin").stat().st_size for name in output]
    assert sizes[1] < 0.9 * sizes[0]
    assert sum(a == b for a, b in zip(*output.values(), strict=True)) >= 18
    assert "warning" not in capfd.readouterr().err

import pytest
import torch
from helpers import toy
from helpers.marian import new_network
from transformers import AutoTokenizer, MarianMTModel

from distilmt.export.consumers import by_transformers
from distilmt.export.huggingface import export_huggingface
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian

TEXTS = [*toy.pairs(60, seed=99)[0], "Zürich 12 (a)", ""]


def test_transformers_translates_with_it(tmp_path, trained_model, exported_model, shared_tokenizer, card):
    export_huggingface(load_marian(trained_model), shared_tokenizer, tmp_path / "hf", card)
    model = MarianMTModel.from_pretrained(tmp_path / "hf", use_safetensors=True).eval()
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in load_marian(trained_model).state_dict().items())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    batch = tokenizer(TEXTS[:-1], return_tensors="pt", padding=True)
    ours = shared_tokenizer.source.encode(TEXTS[:-1])
    assert [ids[mask == 1].tolist() for ids, mask in zip(*batch.values(), strict=True)] == ours
    result = tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True)  # as in its card
    beams = Translator(exported_model).translate(TEXTS[:-1], beam_size=4)
    assert sum(a == b for a, b in zip(result, beams, strict=True)) >= 0.95 * len(result)
    assert tokenizer.model_max_length == 64 == len(tokenizer("ban " * 200, truncation=True).input_ids)
    assert by_transformers(tmp_path / "hf", TEXTS) == Translator(exported_model).translate(TEXTS, beam_size=1)


def test_split_vocabularies(tmp_path, split_tokenizer, card):
    model = new_network(toy.MICRO, split_tokenizer, 0.0, 1).eval()
    export_huggingface(model, split_tokenizer, tmp_path / "hf", card)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    sources, targets = toy.pairs(20, seed=7, chinese=True)
    assert tokenizer(sources).input_ids == split_tokenizer.source.encode(sources)
    assert tokenizer(text_target=targets).input_ids == split_tokenizer.target.encode(targets)
    output = split_tokenizer.target.encode(targets)
    assert tokenizer.batch_decode(output, skip_special_tokens=True) == targets


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_the_bytes(tmp_path, trained_model, shared_tokenizer, card, precision):
    model = load_marian(trained_model)
    export_huggingface(model, shared_tokenizer, tmp_path / "half", card, precision)
    export_huggingface(model, shared_tokenizer, tmp_path / "full", card)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1] and model.dtype == torch.float32
    opened = MarianMTModel.from_pretrained(tmp_path / "half", dtype="auto")
    assert opened.dtype == getattr(torch, precision)
    assert len(by_transformers(tmp_path / "half", TEXTS)) == len(TEXTS)


def test_pad_is_never_stated(tmp_path, shared_tokenizer, card):
    """Its logit is zero, and may be the highest: what decodes by the file's settings must leave it out."""
    model = new_network(toy.MICRO, shared_tokenizer, 0.0, 1).eval()
    model.final_logits_bias[0, :-1] = -50.0
    export_huggingface(model, shared_tokenizer, tmp_path / "hf", card)
    opened = MarianMTModel.from_pretrained(tmp_path / "hf").eval()
    ids = torch.tensor(shared_tokenizer.source.encode(["ban den"]))
    output = opened.generate(ids, num_beams=1)[0, 1:].tolist()
    assert shared_tokenizer.pad not in output and len(output) > 3

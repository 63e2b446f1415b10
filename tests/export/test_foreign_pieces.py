"""Pieces of teachers that are not made here: their ends, what fills vocabularies up, and special names in a text."""

import json
import shutil
from dataclasses import replace

import pytest
from helpers import toy
from helpers.marian import new_network
from helpers.pretrained_models import MAKERS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from distilmt.data import tokenizer as tokenizers
from distilmt.export.ctranslate2 import export
from distilmt.export.foreign import export_foreign
from distilmt.export.huggingface_teacher import export_huggingface_teacher
from distilmt.inference.base import DecodingOptions
from distilmt.inference.tokenization import HuggingFaceTokenizer
from distilmt.inference.translator import Translator

TEXTS = toy.pairs(12, seed=5)[0]
FACTS = {"m2m100": {"source_language": "en"}, "nllb": {"source_language": "eng_Latn"}}
FACTS |= {"mbart50": {"source_language": "en_XX"}, "madlad": {"prefix": "<2it> "}}
SPECIAL = ["<s>", "</s>", "<pad>", "<unk>", "ita_Latn", "it_IT", "__it__", "<mask>"]


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """A tokenizer of each family, where an export keeps it."""
    places = {}
    for name, make in MAKERS.items():
        places[name] = tmp_path_factory.mktemp(name)
        make(places[name] / "tokenizer")
    return places


@pytest.mark.parametrize("name", MAKERS)
def test_the_end_is_the_tokenizers_own_or_ctranslate2s(directories, name):
    """With `source_end: false` CTranslate2 adds it: then the tokenizer's last one is left out, and nothing else."""
    tokenizer = AutoTokenizer.from_pretrained(directories[name] / "tokenizer")
    if "source_language" in FACTS.get(name, {}):
        tokenizer.src_lang = FACTS[name]["source_language"]
    prefix = FACTS.get(name, {}).get("prefix", "")
    whole = [tokenizer.convert_ids_to_tokens(tokenizer(prefix + text).input_ids) for text in TEXTS]
    assert all(row[-1] == "</s>" and row.count("</s>") == 1 for row in whole)
    own = HuggingFaceTokenizer(directories[name], FACTS.get(name, {}))
    assert own.encode([*TEXTS, ""]) == [*whole, []]
    added = HuggingFaceTokenizer(directories[name], FACTS.get(name, {}) | {"source_end": False})
    assert added.encode([*TEXTS, ""]) == [*(row[:-1] for row in whole), []]


def test_a_tokenizer_without_an_end_loses_no_word(tmp_path):
    from helpers.pretrained_models import fast_tokenizer

    fast_tokenizer(["<pad>", "</s>", "<unk>"], "$A").save_pretrained(tmp_path / "tokenizer")
    for facts in ({}, {"source_end": False}):
        pieces = HuggingFaceTokenizer(tmp_path, facts)
        assert pieces.encode(["ban"]) == [["▁ban"]]
        assert "</s>" not in pieces.encode(["ban </s>"])[0]


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=40, deadline=None)
@given(text=st.lists(st.sampled_from([*SPECIAL, "ban", "der", " ", "<", "/s>"]), min_size=1, max_size=7).map("".join))
@example(text="</s>")
@example(text="ban </s> der<pad>")
@example(text="ita_Latn it_IT __it__")
def test_special_names_in_a_text_are_text(directories, name, text):
    pieces = HuggingFaceTokenizer(directories[name], FACTS.get(name, {}))
    special = set(pieces.tokenizer.all_special_tokens) - {"<unk>"}
    own = [piece for piece in pieces.encode(["ban"])[0] if piece in special]
    assert [piece for piece in pieces.encode([text])[0] if piece in special] == own


@pytest.mark.parametrize("multiple", [8, 64])
@pytest.mark.parametrize("name", ["t5", "bart"])
def test_padded_embeddings_of_transformers(tmp_path, name, multiple):
    """Rows that fill the embedding up to a multiple change no translation, and are in none if they are generated."""
    model, tokenizer = MAKERS[name](tmp_path / "plain")
    export_huggingface_teacher(str(tmp_path / "plain"), tmp_path / "a", "float32", "en", "it")
    model.resize_token_embeddings(len(tokenizer) + 1, pad_to_multiple_of=multiple, mean_resizing=False)
    rows = model.get_input_embeddings().weight
    assert len(rows) % multiple == 0 and len(rows) > len(tokenizer)
    rows.data[len(tokenizer) :] = 0
    model.save_pretrained(tmp_path / "padded")
    tokenizer.save_pretrained(tmp_path / "padded")
    export_huggingface_teacher(str(tmp_path / "padded"), tmp_path / "b", "float32", "en", "it")
    vocabulary = json.loads((tmp_path / "b" / "shared_vocabulary.json").read_text())
    assert len(vocabulary) == len(rows)
    plain, padded = Translator(tmp_path / "a", threads=1), Translator(tmp_path / "b", threads=1)
    assert [padded.tokenize([text]) for text in TEXTS] == [plain.tokenize([text]) for text in TEXTS]
    assert padded.translate(TEXTS, 1) == plain.translate(TEXTS, 1)
    filler = vocabulary[len(tokenizer) :]
    assert plain.tokenizer.decode(["▁ban", *filler, "▁der"]) == "ban der"


@pytest.mark.parametrize("filler", ["madeupword{:04d}", "averyunlikelytoken{}", "<unused{}>"])
def test_padded_vocabularies_of_ctranslate2_directories(tmp_path, shared_tokenizer, diverse_model, filler):
    directory = tmp_path / "pieces"
    shutil.copytree(shared_tokenizer.directory, directory)
    ids = list(json.loads((directory / "vocab.json").read_text()))
    names = [*ids[:-1], *(filler.format(number) for number in range(-len(ids) % 64)), ids[-1]]
    assert len(names) % 64 == 0 and len(names) > len(ids)
    (directory / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(names)}))
    padded, plain = tokenizers.load(directory), diverse_model(shared_tokenizer)
    model = new_network(toy.MICRO, padded, 0.0, 4).eval()
    state, rows = plain.state_dict(), len(ids) - 1
    for key, value in model.state_dict().items():
        wide = value if value.shape == state[key].shape else value.zero_()
        if wide.shape == state[key].shape:
            wide.copy_(state[key])
        elif key == "final_logits_bias":
            wide[:, :rows].copy_(state[key][:, :rows])
            wide[:, rows:] = -100.0
        else:
            wide[:rows].copy_(state[key][:rows])
    expected = translated(plain, shared_tokenizer, tmp_path / "plain")
    assert translated(model, padded, tmp_path / "padded") == expected and len(set(expected)) > 5
    model.final_logits_bias[:, rows:-1] = 1000.0
    assert set(translated(model, padded, tmp_path / "wrong")) == {""}, "it says nothing but what fills up"


def translated(model, tokenizer, directory):
    """By a directory as other tools leave it: pieces beside it, no distilmt.json."""
    export(model, tokenizer, directory / "given", "float32")
    (directory / "given" / "distilmt.json").unlink()
    export_foreign({"kind": "ctranslate2", "path": str(directory / "given")}, directory / "t", "float32", "en", "it")
    return [
        result[0].text
        for result in Translator(directory / "t", threads=1).hypotheses(TEXTS, DecodingOptions(beam_size=1))
    ]


@pytest.mark.parametrize("positions", [16, 64])
def test_a_model_of_few_positions_is_given_no_more(tmp_path, shared_tokenizer, diverse_model, positions):
    """No file of a CTranslate2 directory states its number of positions; what is longer is translated in parts."""
    shape = replace(toy.MICRO, max_positions=positions)
    export(diverse_model(shared_tokenizer, shape), shared_tokenizer, tmp_path / "given", "float32")
    (tmp_path / "given" / "distilmt.json").unlink()
    facts = {"kind": "ctranslate2", "path": str(tmp_path / "given")}
    export_foreign(facts, tmp_path / "teacher", "float32", "en", "it")
    assert json.loads((tmp_path / "teacher" / "distilmt.json").read_text())["max_positions"] == positions
    long = " ".join(TEXTS * 5)
    teacher = Translator(tmp_path / "teacher", threads=1)
    assert teacher.translate([long])[0] and teacher.hypotheses([long], DecodingOptions(beam_size=1))[0][0].text

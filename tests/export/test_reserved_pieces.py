"""`</s>`, `<unk>` and `<pad>` that stand in a text are text to whoever reads an export, whatever the pieces know."""

import json
import re
import subprocess
import zipfile

import ctranslate2
import pytest
import sentencepiece
import yaml
from helpers import toy
from helpers.examples import example_count
from helpers.marian import new_network
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilmt.config import TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.cleaning import normalize
from distilmt.export.argos import export_argos
from distilmt.export.ctranslate2 import export
from distilmt.export.marian import export_marian
from distilmt.inference.translator import Translator

TEXTS = st.lists(
    st.sampled_from(["</s>", "<unk>", "<pad>", "<s>", "<0x41>", "</s> ", "<", "/", "s>", " ", "ba", "é", "山"]),
    max_size=8,
).map("".join)
KINDS = [
    (model_type, fallback, script)
    for model_type in ("unigram", "bpe")
    for fallback, script in ((True, "latin"), (False, "latin"), (False, "han"))
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(map(str, kind)))
def read(request, tmp_path_factory, card):
    """A tokenizer, and how each export's own reader numbers the pieces of a text."""
    model_type, fallback, script = request.param
    directory = tmp_path_factory.mktemp("pieces")
    sources, targets = toy.pairs(300, chinese=script == "han")
    config = TokenizerConfig(vocab_size=400, byte_fallback=fallback, model_type=model_type)
    tokenizers.train(targets if script == "han" else sources, targets, config, directory, seed=1)
    tokenizer = tokenizers.load(directory)
    model = new_network(toy.MICRO, tokenizer, 0.0, 1).eval()
    export(model, tokenizer, directory / "ct2", "float32")
    export_argos(model, tokenizer, directory / "m.argosmodel", card, "float32")
    with zipfile.ZipFile(directory / "m.argosmodel") as package:
        package.extractall(directory)
    export_marian(model, tokenizer, directory / "marian", card)
    package = next(directory.glob("translate-*"))
    return tokenizer, {
        "ctranslate2": by_translator(directory / "ct2"),
        "argos": by_argos(package),
        "marian": by_marian(directory / "marian"),
    }


def by_translator(directory):
    translator = Translator(directory, threads=1)
    ids = {piece: i for i, piece in enumerate(json.loads((directory / "shared_vocabulary.json").read_text()))}

    def numbers(text):
        *pieces, end = translator.tokenize([text])[0]
        assert end == "</s>"
        return [ids.get(piece, 1) for piece in pieces]

    return numbers


def by_argos(package):
    """Argos cuts with SentencePiece and hands the names over (`argostranslate/tokenizer.py`)."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(package / "sentencepiece.model"))
    listed = json.loads((package / "model" / "shared_vocabulary.json").read_text())
    assert json.loads((package / "model" / "config.json").read_text())["eos_token"] == listed[0]
    ids = {piece: i for i, piece in enumerate(listed)}
    return lambda text: [ids.get(piece, 1) for piece in processor.encode(text, out_type=str)]


def by_marian(directory):
    """Marian cuts with SentencePiece itself and takes its ids; no list of pieces is needed."""
    assert yaml.safe_load((directory / "decoder.yml").read_text())["vocabs"] == ["source.spm", "target.spm"]
    processor = sentencepiece.SentencePieceProcessor(model_file=str(directory / "source.spm"))
    return lambda text: processor.encode(text, out_type=int)


@settings(max_examples=example_count(60), deadline=None)
@given(text=TEXTS)
@example("</s>")
@example("ba </s> ba")
@example("<pad>")
@example("<s> <unk>")
def test_reserved_names_in_a_text_are_text(read, text):
    tokenizer, readers = read
    text = normalize(text) or "ba"
    expected = tokenizer.source.encode([text])[0][:-1]
    assert not {0, tokenizer.pad} & set(expected)
    for name, numbers in readers.items():
        assert numbers(text) == expected, name


def test_argos_packages_end_as_before(tmp_path, trained_model, shared_tokenizer, card, exported_model):
    """The end has another name, and is found: sources get it, and translations stop at it."""
    from distilmt.models.marian_checkpoint import load_marian

    export_argos(load_marian(trained_model), shared_tokenizer, tmp_path / "m.argosmodel", card, "float32")
    with zipfile.ZipFile(tmp_path / "m.argosmodel") as package:
        package.extractall(tmp_path)
    package = next(tmp_path.glob("translate-*"))
    texts = toy.pairs(12, seed=5)[0]
    processor = sentencepiece.SentencePieceProcessor(model_file=str(package / "sentencepiece.model"))
    results = ctranslate2.Translator(str(package / "model"), intra_threads=1).translate_batch(
        processor.encode(texts, out_type=str), replace_unknowns=True, beam_size=1
    )
    translations = [processor.decode_pieces(result.hypotheses[0]) for result in results]
    assert translations == Translator(exported_model, threads=1).translate(texts, beam_size=1)


@settings(max_examples=example_count(60), deadline=None)
@given(text=TEXTS)
@example("</s>")
@example("山</s>山 </s>")
def test_marian_with_lists_of_pieces_too(listed, text):
    """The way that the card names: spm_encode, sed, and marian-decoder's own list of pieces."""
    processor, ids, sed = listed
    text = normalize(text) or "ba"
    line = " ".join(processor.encode(text, out_type=str))
    filtered = subprocess.run(["sed", sed], input=line, capture_output=True, text=True, check=True).stdout
    assert 0 not in [ids.get(piece, 1) for piece in filtered.split(" ")]
    if "</s>" not in line:
        assert filtered == line


@pytest.fixture(scope="module")
def listed(tmp_path_factory, card):
    """SentencePiece, a list of pieces, and the filter between them, of a model whose pieces are numbered otherwise."""
    directory = tmp_path_factory.mktemp("listed")
    han = toy.pairs(300, chinese=True)[1]
    tokenizers.train(han, han, TokenizerConfig(vocab_size=200, byte_fallback=False), directory, seed=1)
    pieces = list(json.loads((directory / "vocab.json").read_text()))
    shuffled = [*pieces[:2], *reversed(pieces[2:-1]), pieces[-1]]
    (directory / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(shuffled)}))
    tokenizer = tokenizers.load(directory)
    export_marian(new_network(toy.MICRO, tokenizer, 0.0, 1).eval(), tokenizer, directory / "marian", card)
    ids = yaml.safe_load((directory / "marian" / "source.yml").read_text(encoding="utf-8"))
    sed = re.search(r"\| sed '([^']+)' ", (directory / "marian" / "README.md").read_text()).group(1)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(directory / "marian" / "source.spm"))
    assert "</s>" in processor.encode("</s>", out_type=str), "else nothing is to be seen here"
    return processor, ids, sed

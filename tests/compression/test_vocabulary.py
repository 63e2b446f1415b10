import json

import numpy as np
import pytest
import sentencepiece as spm
import torch
from helpers import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.compression.vocabulary import prune_model, prune_tokenizer, retokenized_share, used_vocabulary
from distilmt.config import TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.cleaning import normalize
from distilmt.data.sentencepiece_model import NORMAL, is_bpe, read_entries, remove_entries
from distilmt.data.tokenizer import EOS, UNK
from distilmt.export.ctranslate2 import export
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.architectures import new_model
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.errors import UserError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"), max_size=60)


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    """Pieces that are merged from shorter ones, many of which no text ends in."""
    directory = tmp_path_factory.mktemp("bpe")
    tokenizers.train(*toy.pairs(300), TokenizerConfig(vocab_size=420, model_type="bpe"), directory, seed=1)
    return tokenizers.load(directory)


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """As OPUS-MT has it: a SentencePiece model for either side, one vocab.json of the pieces of both; three scripts."""
    directory = tmp_path_factory.mktemp("joint")
    latin, italian = toy.pairs(300)
    chinese = toy.pairs(300, chinese=True)[1]
    russian = [text.translate(str.maketrans("abdefgilmnoprstuh", "абдефгилмнопрстух")) for text in latin]
    config = TokenizerConfig(vocab_size=700, vocab_sharing="split")
    tokenizers.train([*latin, *russian], [*italian, *chinese], config, directory, seed=1)
    names = [list(json.loads((directory / name).read_text())) for name in ("vocab.json", "target_vocab.json")]
    both = list(dict.fromkeys([*names[0][:-1], *names[1][:-1], ">>it<<", ">>zh<<", "<pad>"]))
    (directory / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(both)}))
    (directory / "target_vocab.json").unlink()
    facts = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps(facts | {"separate_vocabs": False}))
    return tokenizers.load(directory)


@pytest.fixture(params=["shared", "split", "bpe", "joint"])
def any_tokenizer(request, shared_tokenizer, split_tokenizer, bpe, joint):
    kinds = {"shared": shared_tokenizer, "split": split_tokenizer, "bpe": bpe, "joint": joint}
    return kinds[request.param]


def few(tokenizer, count=6, seed=2):
    return toy.pairs(count, seed=seed, chinese=not tokenizer.shared)


def pruned(tokenizer, texts, directory, **settings):
    remaining = used_vocabulary(tokenizer, *texts, **settings)
    return remaining, prune_tokenizer(tokenizer, remaining, directory)


def test_pieces_are_read_as_sentencepiece_reads_them(any_tokenizer):
    model = (any_tokenizer.directory / "source.spm").read_bytes()
    result, reference = read_entries(model), any_tokenizer.source.processor
    assert [p.text for p in result] == [reference.id_to_piece(i) for i in range(reference.get_piece_size())]
    assert [p.score for p in result] == [reference.get_score(i) for i in range(len(result))]
    special = [reference.is_byte(i) or reference.is_control(i) or reference.is_unknown(i) for i in range(len(result))]
    assert [p.kind != NORMAL for p in result] == special and sum(special) == 258
    assert remove_entries(model, lambda piece: False) == model


def test_a_bpe_model_is_distinguished_from_others(bpe, shared_tokenizer):
    result = [is_bpe((t.directory / "source.spm").read_bytes()) for t in (bpe, shared_tokenizer)]
    assert result == [True, False]


def test_the_file_is_changed_in_nothing_else(tmp_path, any_tokenizer):
    path = any_tokenizer.directory / "target.spm"
    model = path.read_bytes()
    longest = max((p for p in read_entries(model) if p.kind == NORMAL), key=lambda p: len(p.text))
    shorter = remove_entries(model, lambda piece: piece == longest)
    assert read_entries(shorter) == [piece for piece in read_entries(model) if piece != longest]
    whole, less = (spm.SentencePieceProcessor(model_proto=m) for m in (model, shorter))
    assert less.piece_to_id(longest.text) == less.unk_id() != whole.piece_to_id(longest.text)
    assert less.decode(less.encode(["ba  de "])) == whole.decode(whole.encode(["ba  de "]))


@given(count=st.integers(1, 12), seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_text_is_cut_as_before(tmp_path_factory, shared_tokenizer, split_tokenizer, bpe, joint, count, seed):
    for tokenizer in (shared_tokenizer, split_tokenizer, bpe, joint):
        texts = few(tokenizer, count, seed)
        remaining, after = pruned(tokenizer, texts, tmp_path_factory.mktemp("pruned"))
        assert retokenized_share(tokenizer.source, after.source, texts[0]) == 0
        assert retokenized_share(tokenizer.target, after.target, texts[1]) == 0
        for before, now, ids in (
            (tokenizer.source, after.source, remaining.source),
            (tokenizer.target, after.target, remaining.target),
        ):
            assert [before.tokens[i] for i in ids] == now.tokens
            assert len(now.tokens) <= len(before.tokens)


@given(TEXT)
@settings(max_examples=40, deadline=None)
def test_any_text_still_comes_back(small, text):
    """Byte pieces are kept, so that there is nothing that cannot be written."""
    text = normalize(text)
    for tokenizer in small:
        for side in (tokenizer.source, tokenizer.target):
            ids = side.encode([text])
            assert side.decode(ids) == [text] and UNK not in ids[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory, shared_tokenizer, split_tokenizer, bpe):
    """Tokenizers that have lost most of their pieces, with and without single characters."""
    make = tmp_path_factory.mktemp
    return [
        pruned(t, few(t, 2), make("small"), characters=characters)[1]
        for t in (shared_tokenizer, split_tokenizer, bpe)
        for characters in (True, False)
    ]


def test_the_convention_holds(tmp_path, any_tokenizer):
    remaining, after = pruned(any_tokenizer, few(any_tokenizer), tmp_path)
    assert after.shared == any_tokenizer.shared
    for side in (after.source, after.target):
        assert (side.tokens[EOS], side.tokens[UNK], side.tokens[-1]) == ("</s>", "<unk>", "<pad>")
    assert len(after.source.tokens) == len(after.target.tokens) == len(remaining.source) == len(remaining.target)
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(tmp_path)
    texts = few(any_tokenizer, 20, seed=8)
    assert reference(texts[0]).input_ids == after.source.encode(texts[0])
    assert reference(text_target=texts[1]).input_ids == after.target.encode(texts[1])
    assert reference.pad_token_id == after.pad


def test_what_is_preserved_in_any_case(tmp_path, shared_tokenizer, joint):
    pieces = shared_tokenizer.source.tokens
    characters = {piece for piece in pieces if len(piece) == 1}
    some, none = (
        {pieces[i] for i in used_vocabulary(shared_tokenizer, ["ba"], [], characters=flag).source}
        for flag in (True, False)
    )
    assert characters <= some and not characters <= none
    assert {f"<0x{i:02X}>" for i in range(256)} <= none
    remaining = used_vocabulary(joint, ["ba"], ["ba"], keep=[">>it<<"])
    names = {joint.source.tokens[i] for i in remaining.source}
    assert ">>it<<" in names and ">>zh<<" not in names


@pytest.mark.parametrize("least", [2, 5])
def test_rare_pieces_go(tmp_path, any_tokenizer, least):
    texts = few(any_tokenizer, 30)
    everything, common = (
        used_vocabulary(any_tokenizer, *texts, characters=False),
        used_vocabulary(any_tokenizer, *texts, least, False),
    )
    assert len(common.source) < len(everything.source)
    after = prune_tokenizer(any_tokenizer, common, tmp_path)
    counts = np.bincount(np.concatenate(any_tokenizer.source.encode(texts[0])), minlength=common.original_size)
    if any_tokenizer.shared:
        counts += np.bincount(np.concatenate(any_tokenizer.target.encode(texts[1])), minlength=common.original_size)
    assert set(np.flatnonzero(counts >= least)) <= set(common.source)
    sides = ((any_tokenizer.source, after.source, texts[0]), (any_tokenizer.target, after.target, texts[1]))
    assert 0 < max(retokenized_share(*side) for side in sides) <= 1
    assert after.source.decode(after.source.encode(texts[0])) == texts[0]


def test_bpe_keeps_what_pieces_are_created_of(bpe):
    """Of a long piece alone: all that is merged on the way to it, though no text ends in it."""
    longest = max((text for text in toy.SOURCE_WORDS), key=len)
    remaining = used_vocabulary(bpe, [longest] * 3, [], min_count=3, characters=False)
    ids = {i for line in bpe.source.encode([longest]) for i in line}
    special = used_vocabulary(bpe, [], [], characters=False)
    parts = set(remaining.source) - set(special.source) - ids
    assert parts and all(bpe.source.tokens[i] in f"▁{longest}" for i in parts)


def model_of(tokenizer, seed=3):
    """Random weights with a bias on the logits, far enough apart for translations to differ."""
    model = new_model(toy.MICRO, tokenizer, 0.0, seed).eval()
    for p in model.parameters():
        if p.requires_grad:
            p.data.mul_(2.0)
    model.network.final_logits_bias.normal_(generator=torch.Generator().manual_seed(1))
    return model


@torch.no_grad()
def logits(model, tokenizer, source, target):
    ids = [torch.tensor(side.encode([text])) for side, text in ((tokenizer.source, source), (tokenizer.target, target))]
    start = torch.full((1, 1), tokenizer.pad)
    return model.network(input_ids=ids[0], decoder_input_ids=torch.cat([start, ids[1][:, :-1]], 1)).logits[0]


def test_logits_of_the_pieces_preserved_are_what_they_were(tmp_path, any_tokenizer):
    model, texts = model_of(any_tokenizer), few(any_tokenizer)
    remaining, after = pruned(any_tokenizer, texts, tmp_path)
    smaller = prune_model(model, remaining)
    network, config = smaller.network, smaller.network.config
    assert config.vocab_size == config.decoder_vocab_size == len(after.source.tokens) < len(any_tokenizer.source.tokens)
    assert config.pad_token_id == config.decoder_start_token_id == network.generation_config.pad_token_id == after.pad
    assert network.lm_head.weight is network.model.decoder.embed_tokens.weight
    assert (network.model.encoder.embed_tokens.weight is network.lm_head.weight) == any_tokenizer.shared
    for source, target in zip(*texts, strict=True):
        whole = logits(model, any_tokenizer, source, target)[:, torch.from_numpy(remaining.target)]
        torch.testing.assert_close(logits(smaller, after, source, target), whole, atol=1e-5, rtol=1e-5)


def test_a_pruned_directory_translates_as_before(tmp_path, any_tokenizer):
    """Where all pieces of the translations are kept, nothing changes: they are the likeliest of fewer now."""
    model, sources = model_of(any_tokenizer), few(any_tokenizer)[0]
    export(model.network, any_tokenizer, tmp_path / "whole", "float32")
    responses = [
        result[0]
        for result in Translator(tmp_path / "whole", threads=1).hypotheses(sources, DecodingOptions(beam_size=1))
    ]
    names = {token for response in responses for token in response.tokens}
    remaining, after = pruned(any_tokenizer, (sources, []), tmp_path / "pruned", keep=names)
    prune_model(model, remaining).save(tmp_path / "pruned")
    export(load_marian(tmp_path / "pruned"), after, tmp_path / "ct2", "float32")
    again = [
        result[0]
        for result in Translator(tmp_path / "ct2", threads=1).hypotheses(sources, DecodingOptions(beam_size=1))
    ]
    assert [a.tokens for a in again] == [a.tokens for a in responses]
    assert len(after.source.tokens) < len(any_tokenizer.source.tokens)


def test_many_languages_become_two(tmp_path, joint):
    _, after = pruned(joint, toy.pairs(100, seed=4), tmp_path, characters=False)
    script = lambda piece: any(c >= "\u0400" and c != "▁" for c in piece)  # noqa: E731
    assert sum(map(script, joint.source.tokens)) > 60 and not any(map(script, after.source.tokens))
    assert joint.source.processor.get_piece_size() > after.source.processor.get_piece_size()
    assert after.source.decode(after.source.encode(["ваn 山水"])) == ["ваn 山水"]


def test_a_model_of_another_vocabulary_is_refused(shared_tokenizer, bpe):
    if len(bpe.source.tokens) == len(shared_tokenizer.source.tokens):
        pytest.skip("as many pieces by chance")
    with pytest.raises(UserError, match="load both from one directory"):
        prune_model(model_of(shared_tokenizer), used_vocabulary(bpe, ["ba"], ["ba"]))

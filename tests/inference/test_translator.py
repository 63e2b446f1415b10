import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers import toy
from helpers.marian import new_network
from transformers import MarianMTModel

from distilmt.export.ctranslate2 import export
from distilmt.inference.base import DecodingOptions
from distilmt.inference.manifest import export_hint
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError


@pytest.fixture(scope="module")
def translator(exported_model):
    return Translator(exported_model, threads=1)


def test_has_learnt_the_toy_language(translator):
    sources, targets = toy.pairs(60, seed=99)
    result = translator.translate(sources, beam_size=4)
    words = [(a, b) for x, y in zip(result, targets, strict=True) for a, b in zip(x.split(), y.split(), strict=False)]
    assert sum(a == b for a, b in words) / len(words) > 0.3


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("beam", [1, 4])
def test_order_and_batches_change_nothing(translator, batch, beam):
    texts = toy.pairs(20, seed=98)[0]
    alone = [translator.translate([text], beam)[0] for text in texts]
    assert translator.translate(texts, beam, batch) == alone
    assert translator.translate(texts[::-1], beam, batch) == alone[::-1]


def test_empty_texts_give_empty_ones(translator):
    assert translator.translate([]) == []
    result = translator.translate(["", "ban.", "  ", "\t", "\u200b", "ban."])
    assert [bool(text) for text in result] == [False, True, False, False, False, True]
    assert result[1] == result[5]
    assert translator.hypotheses([""]) == [[]]


def test_hypotheses_come_best_first(translator):
    for result in translator.hypotheses(toy.pairs(10, seed=97)[0], DecodingOptions(beam_size=4, num_hypotheses=3)):
        scores = [h.score for h in result]
        assert len(result) == 3 and scores == sorted(scores, reverse=True) and scores[0] < 0
        assert len({tuple(h.tokens) for h in result}) == 3
    assert len(translator.hypotheses(["ban."], DecodingOptions(beam_size=1, num_hypotheses=3))[0]) == 3


def test_text_is_normalised_as_the_corpus_was(translator):
    assert translator.translate(["ban\u00a0 der\tfith."]) == translator.translate(["ban der fith."])
    assert translator.tokenize(["a\u0301"]) == translator.tokenize(["á"])


def test_long_texts_are_cut_to_the_models_positions(translator):
    pieces = translator.tokenize(["ban der " * 500])[0]
    assert len(pieces) == translator.max_length == 63 and pieces[-1] == "</s>"
    assert len(translator.hypotheses(["ban der " * 500])[0][0].tokens) <= 63


def test_nothing_of_a_long_text_is_dropped(translator):
    """More sentences than there are positions for are translated one by one; one that is too long, in parts."""
    sentences = [f"{text[0].upper()}{text[1:]}" for text in toy.pairs(30, seed=95)[0]]
    assert translator.translate([" ".join(sentences)]) == [" ".join(translator.translate(sentences))]
    result = translator.translate(["ban der " * 100, "", "ban."])
    assert len(result[0].split()) > 100 and result[1] == "" and result[2] == translator.translate(["ban."])[0]
    assert translator.translate(["字" * 1000]), "even one without a space"


def test_a_string_that_is_no_word_is_copied(translator):
    """The model would write nonsense for every piece of it, up to the last position: a minute for 100,000 letters."""
    key = "aGVsbG8/d29ybGQ+" * 6250
    assert translator.portions(key) == [key] and translator.translate([key, key.upper()]) == [key, key.upper()]
    assert translator.portions(f"ban der {key} fith ban.") == ["ban der", key, "fith ban."]
    start, end = translator.translate(["ban der", "fith ban."])
    assert translator.translate([f"ban der {key} fith ban."]) == [f"{start} {key} {end}"]
    for text in ("字" * 300, "ก" * 300, "ད་" * 150):
        assert len(translator.portions(text)) > 1, "scripts without spaces are split"


def test_stream_gives_a_line_for_a_line(translator):
    texts = ["ban.", "", *toy.pairs(9, seed=96)[0], ""]
    assert list(translator.stream(iter(texts), 1, 4)) == translator.translate(texts, 1)
    taken = []

    def lines():
        for text in texts:
            taken.append(text)
            yield text

    stream = translator.stream(lines(), 1, 2)
    next(stream)
    assert len(taken) == 2, "a batch is translated as soon as it is full"


def test_a_shortlist_is_used_where_there_is_one(tmp_path, exported_model):
    """And only then, and not where it is turned off; every line of a stream keeps to it."""
    path = Path(shutil.copytree(exported_model, tmp_path / "ct2"))
    texts = toy.pairs(10, seed=94)[0]
    free = Translator(path, threads=1)
    assert not free.shortlist
    (path / "vmap.txt").write_text("\t▁ . a\n", encoding="utf-8")
    bound, off = Translator(path, threads=1), Translator(path, threads=1, shortlist=False)
    assert bound.shortlist and not off.shortlist
    assert off.translate(texts) == free.translate(texts)
    for result in (bound.translate(texts), bound.translate(texts, 1, 3), list(bound.stream(iter(texts)))):
        assert set("".join(result)) <= set(" .a⁇")
    assert {piece for result in bound.hypotheses(texts) for piece in result[0].tokens} <= {"▁", ".", "a", "<unk>"}
    assert Translator(path, shortlist=True).translate(texts) == bound.translate(texts)
    (path / "vmap.txt").unlink()
    with pytest.raises(UserError, match=r"vmap\.txt is missing"):
        Translator(path, shortlist=True)


def test_other_directories_are_refused(tmp_path, exported_model):
    with pytest.raises(UserError, match=r"model\.bin is missing"):
        Translator(tmp_path)
    (tmp_path / "model.bin").write_bytes((exported_model / "model.bin").read_bytes())
    with pytest.raises(UserError, match=r"distilmt\.json is missing"):
        Translator(tmp_path)


@pytest.mark.parametrize("prefix", ["", "▁"])
def test_attention_is_that_of_the_model(trained_model, exported_model, shared_tokenizer, tmp_path, prefix):
    """Compared with transformers: mean over the heads of the last layer, and over the pieces of a word."""
    model = MarianMTModel.from_pretrained(trained_model, attn_implementation="eager").eval()
    place = shutil.copytree(exported_model, tmp_path / "model")
    if prefix:
        facts = json.loads((place / "distilmt.json").read_text())
        (place / "distilmt.json").write_text(json.dumps(facts | {"target_prefix": prefix}))
    text, output = (side[0] for side in toy.pairs(1, seed=94))
    [words] = Translator(place, threads=1).attention([text], [output])
    assert [output[a:b] for (a, b), _ in words] == output.split()
    source = shared_tokenizer.source.encode([text])[0]
    pieces = shared_tokenizer.target.encode([output])[0][:-1]
    before = [shared_tokenizer.target.tokens.index(prefix)] if prefix else []
    given = torch.tensor([[model.config.decoder_start_token_id, *before, *pieces]])
    with torch.no_grad():
        expected = (
            model(input_ids=torch.tensor([source]), decoder_input_ids=given, output_attentions=True)
            .cross_attentions[-1][0]
            .mean(0)
        )
    rows = iter(expected[len(before) : -1])
    for (a, b), shares in words:
        assert text.startswith("".join(text[c:d] for (c, d), _ in shares)[:5]), "pieces stand where they are told to"
        count = len(shared_tokenizer.target.encode([output[a:b]])[0]) - 1
        own = torch.stack([next(rows) for _ in range(count)]).mean(0)
        assert [share for _, share in shares] == pytest.approx(own[:-1].tolist(), abs=1e-4)
    assert next(rows, None) is None


def test_attention_knows_places_in_any_script(split_tokenizer, tmp_path):
    export(new_network(toy.MICRO, split_tokenizer, 0.0, 1), split_tokenizer, tmp_path / "model", "int8")
    translator = Translator(tmp_path / "model", threads=1)
    text, output = (side[0] for side in toy.pairs(1, seed=94, chinese=True))
    texts = [text, "é ban “der”", "", "ban", "ban " * 100, "ban"]
    result = translator.attention(texts, [output, "山水 q火。", output, "", output, output * 60])
    assert [bool(words) for words in result] == [True, True, False, False, False, False]
    assert "".join(output[a:b] for (a, b), _ in result[0]) == output and len(result[0]) > 2
    for text, words in zip(texts, result, strict=True):
        for _, shares in words:
            assert "".join(text[a:b] for (a, b), _ in shares) == text
            assert 0 <= sum(share for _, share in shares) <= 1.001


def test_another_tokenizer_reports_no_attention(exported_model, monkeypatch):
    translator = Translator(exported_model, threads=1)
    monkeypatch.setattr(translator, "tokenizer", None)
    assert translator.attention(["ban"], ["nota"]) == [[]]


@pytest.mark.parametrize("call", ["translate", "candidates"])
def test_what_is_no_list_of_texts_is_refused(exported_model, call):
    translate = getattr(Translator(exported_model, threads=10_000), call)
    with pytest.raises(TypeError, match=r"put it into a list"):
        translate("ban.")
    with pytest.raises(TypeError, match=r"has None, which is not a str"):
        translate([None])
    assert len(translate(["ban."])) == 1


def test_a_beam_of_none_is_refused(exported_model):
    translator = Translator(exported_model, threads=1)
    for beam_size in (0, -1):
        with pytest.raises(ValueError, match=rf"beam_size is {beam_size}: it must be at least 1"):
            translator.translate(["ban."], beam_size)


@pytest.mark.parametrize("vocabulary", [[], ["a"], ["</s>", "<unk>", "a", "b"]])
def test_a_vocabulary_that_is_not_the_models_is_one_line(exported_model, tmp_path, vocabulary):
    """Without a card nothing shows it before the first translation."""
    model = shutil.copytree(exported_model, tmp_path / "model")
    (model / "card.json").unlink(missing_ok=True)
    (model / "shared_vocabulary.json").write_text(json.dumps(vocabulary))
    translator = Translator(model, threads=1)
    with pytest.raises(UserError, match=r"do not fit each other .*: copy or export") as refusal:
        translator.translate(["ban."])
    assert "\n" not in str(refusal.value)
    with pytest.raises(UserError, match="do not fit each other"):
        translator.attention(["ban."], ["ban."])


def test_a_step_of_a_run_is_reported_the_runs_name(exported_model, tmp_path):
    shutil.copytree(exported_model, tmp_path / "run" / "exports" / "student")
    (tmp_path / "run" / "student").mkdir()
    assert export_hint(tmp_path / "run" / "student") == f"name the run that it is a step of, {tmp_path / 'run'}"
    assert export_hint(tmp_path / "run") == "finish the run first"

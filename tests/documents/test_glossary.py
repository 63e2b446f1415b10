import pytest
from helpers import toy

from distilmt.documents.glossary import Glossary, read_glossary
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError


@pytest.fixture(scope="module")
def translator(exported_model):
    return Translator(exported_model, threads=1)


@pytest.mark.parametrize("target", ["Zugewinn", "eins zwei", "X1", "%s"])
def test_terms_arrive_and_texts_without_stay(translator, target):
    """Whatever the model knows of them."""
    texts = [*toy.pairs(20, seed=93)[0], "", "ban ban der.", "Ban, ban!"]
    glossary = Glossary(translator, {"ban": target, "qqq": "zzz"}, 2)
    for text, output, free in zip(texts, glossary.translate(texts), translator.translate(texts, 2), strict=True):
        count = text.lower().replace(",", "").replace(".", "").replace("!", "").split().count("ban")
        assert output.lower().count(target.lower()) >= count
        assert count or output == free
    assert sum(glossary.how.values()) == len(
        {t for t in texts if "ban" in t.lower().split(" ") or "ban." in t.lower()} | {"Ban, ban!"}
    )


def test_case_and_longest_terms(translator):
    glossary = Glossary(translator, {"der": "a", "ban der": "b", "NATO": "c", "水": "d"})
    result = [
        [target for _, target in glossary.terms_in(text)] for text in ("ban der der", "Der nato NATO", "derx 山水")
    ]
    assert result == [["b", "a"], ["a", "c"], ["d"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a b\n", "line 1: write a term"),
        (b"a\tb\n\n\tc\n", "line 3: write"),
        (b"a\tb\na\tc\n", "line 2: 'a' has another"),
        (b"a\t\xff\n", "UTF-8"),
    ],
)
def test_broken_glossaries(tmp_path, content, message):
    path = tmp_path / "terms.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_glossary(path)
    with pytest.raises(UserError, match="No such file"):
        read_glossary(tmp_path / "nothing.tsv")


def test_candidates_and_confidence(translator):
    texts = ["ban der.", "", "Ban der. " * 60]
    for count in (1, 3):
        result = translator.candidates(texts, DecodingOptions(beam_size=4, num_hypotheses=count))
        assert [len(output) for output in result] == [count, 0, count]
        for output in result:
            confidences = [h.confidence for h in output]
            assert confidences == sorted(confidences, reverse=True) and all(0 < c <= 1 for c in confidences)
        assert [output[0].text if output else "" for output in result] == translator.translate(texts, 4)
    assert 0 < translator.candidates(["ban."], DecodingOptions(beam_size=1))[0][0].confidence < 1

"""The search through the interface, held against CTranslate2's on the same model."""

import pytest
from helpers import toy

from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.teachers.torch_translator import TorchTranslator


@pytest.fixture(scope="module")
def sources():
    return [*toy.pairs(30, seed=12)[0], "", "ban"]


@pytest.mark.parametrize("beams", [1, 4])
def test_translations_are_those_of_ctranslate2(trained_model, exported_model, sources, beams):
    options = DecodingOptions(beam_size=beams, return_scores=True)
    ours = TorchTranslator.open(trained_model).hypotheses(sources, options)
    reference = Translator(exported_model, threads=1).hypotheses(sources, options)
    same = [a[0].tokens == b[0].tokens for a, b in zip(ours, reference, strict=True) if a or b]
    assert sum(same) >= 0.9 * len(same)  # searches may keep other hypotheses where scores are nearly equal
    for a, b in zip(ours, reference, strict=True):
        if a and a[0].tokens == b[0].tokens:
            assert a[0].text == b[0].text and a[0].score == pytest.approx(b[0].score, abs=2e-3)
    assert ours[-2] == []


def test_several_hypotheses_and_long_sources(trained_model):
    model = TorchTranslator.open(trained_model)
    long = " ".join(toy.pairs(40, seed=2)[0])
    few, cut = model.hypotheses([toy.pairs(1, seed=3)[0][0], long], DecodingOptions(beam_size=2, num_hypotheses=3))
    assert len(few) == len({h.text for h in few}) == 3 and cut
    assert model.translate(["", long], beam_size=1)[0] == ""

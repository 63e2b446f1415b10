import os

import pytest

from distilmt.evaluation import quality
from distilmt.utils.errors import UserError

REFERENCES = [f"the small house number {i} stands near the old bridge" + " again" * (i % 5) for i in range(40)]


def worse(texts: list[str]) -> list[str]:
    return [text.replace("small house", "tiny home").replace("near", "by") for text in texts]


def test_scores_against_values_worked_out_by_hand():
    scores = quality.score(["a b c d e"], ["a b c d f"], "it")
    # Precisions 4/5, 3/4, 2/3, 1/2: their product is a fifth. One edit in five words.
    assert scores.bleu == pytest.approx(100 * 0.2**0.25)
    assert scores.ter == pytest.approx(20.0)


def test_scores_against_values_of_the_sacrebleu_command():
    hypotheses = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    references = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
    scores = quality.score(hypotheses, references, "en")
    assert round(scores.bleu, 2) == 45.07
    assert round(scores.chrf, 2) == 50.04
    assert round(scores.ter, 2) == 50.00


def test_signatures_name_metric_settings_and_version():
    scores = quality.score(["a"], ["a"], "zh_CN")
    assert scores.bleu_signature.startswith("nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:")
    assert "nc:6|nw:0" in scores.chrf_signature
    assert "asian:yes" in scores.ter_signature


@pytest.mark.parametrize(
    ("code", "tokenizer"),
    [
        ("it", "13a"),
        ("pt_BR", "13a"),
        ("zh", "zh"),
        ("zh-Hant", "zh"),
        ("zh_CN", "zh"),
        ("ja", "ja-mecab"),
        ("KO", "ko-mecab"),
        ("th", "char"),
    ],
)
def test_tokenizer_follows_the_language(code, tokenizer):
    assert quality.tokenizer_for(code) == tokenizer


def test_chinese_is_scored_by_characters():
    scores = quality.score(["我喜欢红色的茶"], ["我喜欢绿色的茶"], "zh")
    assert scores.bleu > 20
    assert scores.ter == pytest.approx(100 / 7)


@pytest.mark.parametrize("code", ["ja", "ko"])
def test_missing_tokenizer_names_the_package_to_install(code, monkeypatch):
    def missing(**settings):
        raise RuntimeError("Japanese tokenization requires extra dependencies")

    monkeypatch.setattr(quality, "BLEU", missing)
    with pytest.raises(UserError, match=rf"pip install .\.\[{code}\]. in a clone"):
        quality.score(["a"], ["a"], code)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="test set is empty"):
        quality.score([], [], "it")
    with pytest.raises(UserError, match="1 translations but 2 references"):
        quality.score(["a"], ["a", "b"], "it")
    with pytest.raises(UserError, match="2 translations but 1 references"):
        quality.paired_bootstrap(("a", ["x"]), ("b", ["x", "y"]), ["x"], "it")
    with pytest.raises(UserError, match="bootstrap"):
        quality.paired_bootstrap(("a", ["x"]), ("b", ["x"]), ["x"], "it", samples=0)


def test_clearly_better_system_is_significant():
    bleu, chrf = quality.paired_bootstrap(
        ("good", REFERENCES), ("bad", worse(REFERENCES)), REFERENCES, "en", samples=200
    )
    assert (bleu["a"], bleu["b"], bleu["metric"], chrf["metric"]) == ("good", "bad", "bleu", "chrf")
    assert bleu["a_score"] == pytest.approx(100.0)
    assert bleu["difference"] == pytest.approx(bleu["a_score"] - bleu["b_score"])
    assert bleu["difference"] > 10 and chrf["difference"] > 5
    assert bleu["p_value"] < 0.01 and chrf["p_value"] < 0.01
    assert 0 < bleu["ci"][0] < bleu["difference"] < bleu["ci"][1]


def test_swapping_systems_swaps_the_signs():
    systems = ("good", REFERENCES), ("bad", worse(REFERENCES))
    forward = quality.paired_bootstrap(*systems, REFERENCES, "en", samples=50)[0]
    backward = quality.paired_bootstrap(*systems[::-1], REFERENCES, "en", samples=50)[0]
    assert backward["difference"] == pytest.approx(-forward["difference"])
    assert backward["ci"] == pytest.approx([-forward["ci"][1], -forward["ci"][0]])


def test_identical_systems_do_not_differ():
    texts = worse(REFERENCES)
    for result in quality.paired_bootstrap(("a", texts), ("b", texts), REFERENCES, "en", samples=50):
        assert result["difference"] == 0
        assert result["p_value"] == 1
        assert result["ci"] == [0, 0]


def test_a_difference_by_chance_is_not_significant():
    half = [w if i % 2 else r for i, (r, w) in enumerate(zip(REFERENCES, worse(REFERENCES), strict=True))]
    other = [r if i % 2 else w for i, (r, w) in enumerate(zip(REFERENCES, worse(REFERENCES), strict=True))]
    bleu = quality.paired_bootstrap(("a", half), ("b", other), REFERENCES, "en", samples=200)[0]
    assert bleu["p_value"] > 0.2
    assert bleu["ci"][0] < 0 < bleu["ci"][1]


@pytest.mark.parametrize("seed", [0, 7])
def test_resampling_is_reproducible_and_leaves_the_environment_alone(seed, monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "99")
    half = [w if i % 3 else r for i, (r, w) in enumerate(zip(REFERENCES, worse(REFERENCES), strict=True))]
    runs = [
        quality.paired_bootstrap(("a", half), ("b", worse(REFERENCES)), REFERENCES, "en", samples=30, seed=seed)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert os.environ["SACREBLEU_SEED"] == "99"


def test_intervals_come_from_the_resamples_of_the_paired_test():
    """The mean of our resamples of a system is the mean that sacreBLEU reports for it."""
    texts = [w if i % 3 else r for i, (r, w) in enumerate(zip(REFERENCES, worse(REFERENCES), strict=True))]
    metrics = {"bleu": quality.bleu_metric("en")}
    test = quality.PairedTest([("b", texts), ("a", texts)], metrics, [REFERENCES], "bs", n_samples=40)
    mean = test()[1]["BLEU"][1].mean
    sample = quality.np.random.default_rng(12345).choice(40, size=(40, 40), replace=True)
    times = quality.np.stack([quality.np.bincount(row, minlength=40) for row in sample])
    ours = quality.resampled_scores(metrics["bleu"], texts, REFERENCES, times)
    assert quality.np.mean(ours) == pytest.approx(mean, rel=1e-5)


def test_sentence_chrf_is_per_sentence():
    values = quality.sentence_chrf(["same words", "xyz"], ["same words", "abc"])
    assert values == [pytest.approx(100.0), 0.0]


def test_scores_near_zero_are_not_compared():
    """A model that has learned nothing may still match a word here and there: that is no difference in quality."""
    nothing = ["qx " * 9] * len(REFERENCES)
    matches = ["qx " * 8 + "the" if number % 2 else "qx " * 9 for number in range(len(REFERENCES))]
    for row in quality.paired_bootstrap(("a", matches), ("b", nothing), REFERENCES, "en", samples=200):
        assert row["difference"] > 0 and row["ci"][0] > 0 and row["p_value"] == 1
    rows = quality.paired_bootstrap(("a", REFERENCES), ("b", [""] * len(REFERENCES)), REFERENCES, "en", samples=200)
    assert all(row["p_value"] < 0.01 for row in rows)

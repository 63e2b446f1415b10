"""Challenges: a model that does well passes, one that was made to be bad in one way is caught in that way."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.evaluation.challenge_runner import BATCH_INVARIANCE, compare_challenges, run_challenges, sign_test
from distilmt.evaluation.challenge_sets import CHALLENGES, ChallengeData
from distilmt.evaluation.script import LanguagePairClassifier
from distilmt.evaluation.slices import word_tokenize

NOUNS = ["dog", "cat", "house", "river", "garden", "teacher", "window", "bottle", "forest", "letter", "mountain"]
NOUNS += ["pencil", "kitchen", "engine", "market", "ladder"]
VERBS = ["sees", "finds", "paints", "cleans", "follows", "carries", "watches", "draws"]
PLACES = ["today", "here", "yesterday", "outside", "indoors", "tonight", "upstairs", "nearby"]


def german(text):
    """Stands for the language translated into: every word but those of other things with another ending."""
    recognized = {*NOUNS, *VERBS, *PLACES, "the", "a"}
    parts = []
    for part in text.split(" "):
        core = part.strip(".").lower()
        parts.append(
            f"{core[::-1]}um" + part[len(core) :] if core in recognized and part.rstrip(".").isalpha() else part
        )
    return " ".join(parts)


SOURCES = [
    f"The {NOUNS[i % 16]} {VERBS[i % 8]} a {NOUNS[(i // 3 + 5) % 16]} {PLACES[(i // 5) % 8]}"
    + (f" {i}." if i % 4 == 0 else ".")
    for i in range(120)
]
REFERENCES = [german(source) for source in SOURCES]
MATERIAL = ChallengeData(
    sources=SOURCES,
    references=REFERENCES,
    source_frequencies=Counter(word for text in SOURCES for word in word_tokenize(text, "en")),
    target_frequencies=Counter(word for text in REFERENCES for word in word_tokenize(text, "de")),
    languages=LanguagePairClassifier(SOURCES, REFERENCES),
    target="de",
    cases=40,
)


class Good:
    """Translates as it should; the others are this with one thing planted."""

    def translate(self, texts, beam_size=4, batch_size=64):
        return [self.spoil(german(text), text) for text in texts]

    def spoil(self, translation, source):
        return translation


def planted(spoil):
    return type("Bad", (Good,), {"spoil": lambda self, translation, source: spoil(translation, source)})()


class DependsOnBatch(Good):
    def translate(self, texts, beam_size=4, batch_size=64):
        return [text + ("" if batch_size == 1 else " ja") for text in super().translate(texts)]


FAULTS = {
    "short": planted(lambda t, s: f"{t} ({t[0]} {t})" if len(s.split()) == 1 else t),
    "numbers": planted(lambda t, s: "".join(c for c in t if not c.isdigit())),
    "addresses": planted(lambda t, s: t.replace("@", " at ").replace("www.", "").replace("https://", "")),
    "emoji": planted(lambda t, s: "".join(c for c in t if ord(c) < 0x2000)),
    "code": planted(lambda t, s: t.replace("_", " ").replace("--", "-").replace("`", "'").replace("[", "(")),
    "brackets": planted(lambda t, s: "".join(c for c in t if c not in "()[]{}<>“”«»")),
    "names": planted(lambda t, s: " ".join(w for w in t.split(" ") if not w[:1].isupper())),
    "capitals": planted(lambda t, s: "um um" if s.isupper() else t),
    "title case": planted(lambda t, s: "um um" if s.istitle() else t),
    "typos": planted(lambda t, s: t if all(w.strip(".") in RECOGNIZED for w in s.lower().split()) else "em im"),
    "no full stop": planted(lambda t, s: t if s.endswith(".") else ""),
    "empty": planted(lambda t, s: "" if "sees" in s or "paints" in s else t),
    "loops": planted(lambda t, s: f"{t} um um um um um um um um um um" if "sees" in s or "paints" in s else t),
    "copied source": planted(lambda t, s: s if "sees" in s or "paints" in s else t),
    "odd length": planted(
        lambda t, s: f"{t} {' '.join(f'w{i}rd{i}' for i in range(40))}" if "sees" in s or "paints" in s else t
    ),
    "wrong language": planted(lambda t, s: f"{s} indeed" if "sees" in s or "paints" in s else t),
    "invented words": planted(lambda t, s: t.replace("um", "orium")),
    "long input": planted(lambda t, s: " ".join(t.split()[:100])),
    BATCH_INVARIANCE: DependsOnBatch(),
}
RECOGNIZED = {*NOUNS, *VERBS, *PLACES, "the", "a", *map(str, range(120))}


@pytest.fixture(scope="module")
def good():
    return run_challenges(Good(), MATERIAL, 4)


def test_a_good_model_passes(good):
    assert set(good) == {*CHALLENGES, BATCH_INVARIANCE}
    faults = {name: sum(responses.failed) for name, responses in good.items() if any(responses.failed)}
    assert not set(faults) - {"typos"}, "a word with two letters changed is unknown to this translator"
    assert all(row["passed"] for row in compare_challenges(good, good))


def test_every_challenge_has_its_fault_here():
    assert set(FAULTS) == {*CHALLENGES, BATCH_INVARIANCE}


@pytest.mark.parametrize("name", list(FAULTS))
def test_planted_faults_are_caught(good, name):
    row = next(
        row for row in compare_challenges(run_challenges(FAULTS[name], MATERIAL, 4), good) if row["name"] == name
    )
    assert not row["passed"] and row["student"] > row["teacher"]
    assert row["examples"] and row["cases"] > 3


def test_a_teacher_as_bad_is_no_reproach(good):
    bad = run_challenges(FAULTS["numbers"], MATERIAL, 4)
    assert all(row["passed"] for row in compare_challenges(bad, bad))


def test_a_set_that_an_earlier_version_did_not_have_is_left_out(good):
    earlier = {name: result for name, result in good.items() if name != "title case"}
    assert [row["name"] for row in compare_challenges(good, earlier)] == list(earlier)


def test_scripts_without_case_have_no_sets_of_case():
    texts = ["ძაღლი ხედავს კატას.", "一只狗在跑。", "कुत्ता दौड़ता है।"] * 5
    data = ChallengeData(texts, texts, Counter(), Counter(), LanguagePairClassifier(SOURCES, REFERENCES), "ka")
    assert not {"capitals", "title case"} & {*run_challenges(Good(), data, 4)}


def test_the_same_inputs_every_time():
    requests = []

    class Listening(Good):
        def translate(self, texts, beam_size=4, batch_size=64):
            requests.append(list(texts))
            return super().translate(texts)

    run_challenges(Listening(), MATERIAL, 4)
    half = len(requests)
    run_challenges(Listening(), MATERIAL, 4)
    assert requests[:half] == requests[half:]


def test_what_there_is_no_input_for_is_left_out():
    few = ChallengeData(
        ["the dog."], ["eht god."], Counter(), Counter(), LanguagePairClassifier(SOURCES, REFERENCES), "de"
    )
    assert not {"short", "long input"} & set(run_challenges(Good(), few, 1))


def test_sign_test_by_hand():
    assert sign_test(0, 0) == 1 and sign_test(5, 0) == 1 / 32 and sign_test(1, 1) == 0.75


@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_is_a_probability(worse, better):
    assert 0 < sign_test(worse, better) <= 1
    assert sign_test(worse + 1, better) <= sign_test(worse, better) + 1e-12

import pytest

from distilmt.report import summary, tables
from distilmt.report.languages import Translation, named, translation
from distilmt.report.schema import complete

ENGLISH, CHINESE = translation("en"), translation("zh")
NO_BASELINE = "It is unknown whether distillation helped: no baseline was trained without the teacher."
HEAD_START = {"en": "the other model with random weights.", "zh": "而基线模型从随机权重开始。"}


def findings(report: dict, _: Translation) -> list[str]:
    return summary.findings(complete(report), _)


def sentence(report: dict) -> str:
    return summary.headline(complete(report), ENGLISH)


def set_p(report: dict, a: str, b: str, p_value: float | None) -> None:
    for row in report["comparisons"]:
        if (row["a"], row["b"]) == (a, b):
            row["p_value"] = p_value


def test_a_loss_is_reported_with_its_interval(italian):
    assert sentence(italian) == (
        "The int8 student is 13.1 times smaller and 8.2 times faster than the teacher; "
        "it lost 0.9 BLEU (95% interval 0.5 to 1.4, p = 0.001)."
    )


def test_a_loss_that_may_be_chance_is_not_called_a_loss(italian):
    set_p(italian, "student-int8", "teacher", 0.3)
    text = sentence(italian)
    assert "lost" not in text
    assert "not measurably different (−0.9; 95% interval −1.4 to −0.5, p = 0.30)" in text


def test_a_gain_is_reported_as_a_gain(italian):
    row = italian["comparisons"][0]
    row["difference"], row["ci"] = 0.5, [0.1, 0.9]
    assert "it gained 0.5 BLEU (95% interval 0.1 to 0.9" in sentence(italian)


def test_a_comparison_counts_in_either_order(italian):
    row = italian["comparisons"][0]
    expected = sentence(italian)
    row["a"], row["b"], row["difference"] = row["b"], row["a"], -row["difference"]
    row["ci"] = [-row["ci"][1], -row["ci"][0]]
    assert sentence(italian) == expected


def test_without_a_test_the_report_states_it(italian):
    italian["comparisons"] = []
    assert "it lost 0.9 BLEU (significance was not tested)" in sentence(italian)
    assert not any("helped" in text for text in findings(italian, ENGLISH))


def test_a_bigger_slower_student_is_called_so(italian):
    student = italian["systems"][-1]
    student["file_bytes"], student["sentences_per_second"] = 119_200_000, {"batch_1": 4.55}
    assert sentence(italian).startswith("The int8 student is 2.0 times bigger and 2.0 times slower than the teacher")


def test_a_student_of_the_same_size_is_called_so(italian):
    italian["systems"][-1]["file_bytes"] = 59_000_000
    assert sentence(italian).startswith("Compared with the teacher, the int8 student is about as big and 8.2 times")


def test_missing_numbers_are_left_out(italian):
    for system in italian["systems"]:
        system["sentences_per_second"] = None
        system["bleu"] = None
    italian["comparisons"] = []
    text = sentence(italian)
    assert text == "The int8 student is 13.1 times smaller than the teacher; its quality was not measured."


@pytest.mark.parametrize(
    ("change", "p_value", "words"),
    [
        (3.6, 0.001, "Distillation helped: the int8 student scores 3.6 BLEU more"),
        (-1.2, 0.001, "Distillation was harmful: the int8 student scores 1.2 BLEU less"),
        (0.2, 0.4, "Distillation made no measurable difference"),
    ],
)
def test_distillation_is_judged_against_the_baseline(italian, change, p_value, words):
    row = italian["comparisons"][2]
    row["difference"], row["p_value"], row["ci"] = change, p_value, [change - 0.1, change + 0.1]
    assert findings(italian, ENGLISH)[0].startswith(words)


@pytest.mark.parametrize(("_", "words"), [(ENGLISH, "The teacher is not better"), (CHINESE, "教师模型不比学生模型好")])
def test_a_teacher_that_was_trained_too_short_is_named(italian, _, words):
    row = italian["comparisons"][0]
    assert (row["a"], row["b"]) == ("student-int8", "teacher")
    row["difference"] = 0.5
    assert findings(italian, _)[-1].startswith(words)
    row["difference"] = -0.5
    assert not findings(italian, _)[-1].startswith(words)
    row["difference"], italian["config"]["teacher"] = 0.5, {"path": "models/mine"}
    assert not findings(italian, _)[-1].startswith(words)


def test_where_chrf_and_bleu_disagree_it_is_stated(italian):
    assert not any("chrF" in text for text in findings(italian, ENGLISH))
    row = italian["comparisons"][0]
    row["difference"], row["ci"] = 0.5, [0.1, 0.9]
    assert findings(italian, ENGLISH)[0] == (
        "chrF disagrees with BLEU: in chrF, the int8 student is 0.9 worse than the teacher "
        "(95% interval 0.4 to 1.4, p = 0.002)."
    )
    assert findings(italian, CHINESE)[0].startswith("chrF 与 BLEU 结论相反：按 chrF，int8 学生模型比教师模型低 0.9")


def test_a_disagreement_that_may_be_chance_is_not_reported(italian):
    italian["comparisons"][0]["difference"] = 0.5
    for row in italian["comparisons"]:
        if row["metric"] == "chrf":
            row["p_value"] = 0.4
    assert not any("chrF" in text for text in findings(italian, ENGLISH))


@pytest.mark.parametrize("_", [ENGLISH, CHINESE])
def test_a_head_start_stands_next_to_the_gain(italian, _):
    italian["config"]["student"] = {"initialization": "random"}
    assert HEAD_START[_.language] not in findings(italian, _)[0]
    italian["config"]["student"] = {"initialization": "first"}
    assert findings(italian, _)[0].endswith(HEAD_START[_.language])


def test_without_a_baseline_the_gain_is_unknown(italian):
    italian["systems"] = [s for s in italian["systems"] if not s["name"].startswith("baseline")]
    assert findings(italian, ENGLISH)[0] == NO_BASELINE


def test_float_students_are_compared_with_float_baselines(italian):
    remaining = {"teacher", "student"}
    italian["systems"] = [s for s in italian["systems"] if s["name"] in remaining]
    italian["systems"].append({"name": "baseline-int8", "bleu": 30.0})
    assert findings(italian, ENGLISH)[0] == NO_BASELINE
    assert sentence(italian).startswith("The student is 4.8 times smaller")


def test_what_quantising_alone_does_is_reported(italian):
    text = findings(italian, ENGLISH)[1]
    assert text == "Only quantizing the teacher to int8 makes it 3.7 times smaller and 2.4 times faster, for −0.1 BLEU."


def test_chinese_headline(italian):
    text = summary.headline(complete(italian), CHINESE)
    assert text.startswith("与教师模型相比，int8 学生模型体积缩小到 1/13.1，速度提高到 8.2 倍；BLEU 降低了 0.9")


def test_unknown_systems_keep_their_names():
    assert named("student-pruned", ENGLISH) == "the pruned student"
    assert named("marian", ENGLISH) == "marian"


@pytest.mark.parametrize(
    ("_", "dropped", "helped"),
    [(ENGLISH, "3,701 of the teacher's 3,701 translations", "Distillation"), (CHINESE, "3,701 条被剔除", "蒸馏有效")],
)
def test_a_teacher_whose_translations_were_dropped_is_no_test_of_distillation(italian, _, dropped, helped):
    italian["labels"] = {"sentences": 3701, "hypotheses_dropped": 3701}
    text = " ".join(findings(italian, _))
    assert dropped in text and helped not in text


@pytest.mark.parametrize(("_", "words"), [(ENGLISH, "too low to be compared"), (CHINESE, "两者得分都太低")])
def test_scores_near_zero_claim_nothing(italian, _, words):
    for row in italian["comparisons"]:
        row["a_score"], row["b_score"], row["difference"], row["ci"] = 0.1, 0.0, 0.1, [0.05, 0.15]
    texts = [summary.headline(complete(italian), _), *findings(italian, _)]
    assert sum(words in text for text in texts) >= 2
    assert not any("gained" in text or "helped" in text for text in texts)
    assert not any(row.is_significant for row in tables.comparison_rows(complete(italian)))

from distilmt.utils.run_dir import StepRecord
from distilmt.utils.step_results import (
    CorpusResult,
    EvaluationResult,
    ExportsResult,
    LabelResult,
    ModelResult,
    ReportResult,
    ScoresResult,
    SelectionResult,
    from_record,
    result_of,
    to_record,
)


def _record(result):
    return StepRecord("step", "f", {}, {}, 1.0, 1, {}, result)


def test_a_result_is_read_from_its_record_and_written_as_it_was():
    values = {
        "updates": 20,
        "best_score": 31.5,
        "train_seconds": 4.0,
        "parameters": 9,
        "hypotheses_dropped": {"empty": 2},
    }
    result = result_of(ModelResult, _record(values))
    assert (result.updates, result.best_score, result.validation_seconds) == (20, 31.5, None)
    assert to_record(result) == values


def test_keys_of_other_versions_do_not_matter():
    result = from_record(LabelResult, {"sentences": 3, "seconds_per_sentence": None, "hours": 2})
    assert result == LabelResult(sentences=3, reused=0, seconds_per_sentence=None)


def test_former_names_are_read_and_current_ones_are_written():
    assert from_record(LabelResult, {"answers": {"requests": 3}}).usage == {"requests": 3}
    assert from_record(ScoresResult, {"beam": {"bleu": 1.0}, "words": {"entropy": 2.0}}).token_metrics == {
        "entropy": 2.0
    }
    selection = from_record(SelectionResult, {"sentences": 3, "changed": 1, "kept": 5})
    assert to_record(selection) == {"sentences": 3, "changed": 1, "rows": 5}


def test_values_by_name_stand_in_the_record_itself():
    exports = {"student": 7, "bytes": 3}  # whatever an export is called
    assert from_record(ExportsResult, exports).bytes == exports == to_record(ExportsResult(exports))
    evaluation = from_record(EvaluationResult, {"bleu student-int8": 30.5, "seconds": 2})
    assert evaluation.bleu == {"student-int8": 30.5} and to_record(evaluation) == {"bleu student-int8": 30.5}
    report = {"html": "run/report.html", "teacher": 31.0}
    assert from_record(ReportResult, report) == ReportResult("run/report.html", {"teacher": 31.0})
    assert to_record(from_record(ReportResult, report)) == report


def test_a_missing_record_has_nothing():
    assert result_of(ModelResult, None) == ModelResult()
    assert result_of(CorpusResult, _record({"train": 5})).counts == {"train": 5}
    assert result_of(CorpusResult, _record({"train": 5, "valid": 2})).counts == {"train": 5, "valid": 2}

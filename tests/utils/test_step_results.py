from distilmt.utils.run_dir import StepRecord
from distilmt.utils.step_results import CorpusResult, LabelResult, ModelResult, from_record, result_of, to_record


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
    result = from_record(LabelResult, {"sentences": 3, "shards": 1, "answers": {"requests": 3}})
    assert result == LabelResult(sentences=3, reused=0, seconds_per_sentence=None)


def test_a_missing_record_has_nothing():
    assert result_of(ModelResult, None) == ModelResult()
    assert result_of(CorpusResult, _record({"train": 5})).counts == {"train": 5}
    assert result_of(CorpusResult, _record({"train": 5, "valid": 2})).counts == {"train": 5, "valid": 2}

import json
import sys
from pathlib import Path

import pytest

from distilmt.evaluation import speed
from distilmt.utils.errors import UserError


def run(rate: float) -> dict:
    per_batch = {"batch_1": rate, "batch_64": 2 * rate}
    return {
        "load_seconds": 1 / rate,
        "sentences_per_second": per_batch,
        "tokens_per_second": per_batch,
        "latency_ms": {"p50": 1e3 / rate, "p95": 2e3 / rate},
        "peak_rss_bytes": int(rate),
        "sentences": {"batch_1": 20, "batch_64": 64},
        "joules": {"batch_1": 1 / rate, "batch_64": None if rate > 5 else 0.5 / rate},
    }


def test_models_take_turns_and_medians_are_taken(monkeypatch):
    order, rates = [], iter([1.0, 10.0, 9.0, 30.0, 2.0, 20.0])

    def fake(model: Path, file: Path, beam_size: int, max_seconds: float) -> dict:
        order.append(model.name)
        assert sorted(file.read_text().splitlines()) == ["one line", "two"]
        return run(next(rates))

    monkeypatch.setattr(speed, "measure_in_process", fake)
    models = {"teacher": Path("a"), "student": Path("b")}
    result = speed.measure_interleaved(models, speed.SpeedInputs(["one\u2028line", "two", " "]), beam_size=4, rounds=3)
    assert order == ["a", "b"] * 3
    assert result["teacher"].sentences_per_second == {"batch_1": 2.0, "batch_64": 4.0}
    assert result["student"].latency_ms["p50"] == pytest.approx(50.0)
    assert result["student"].rounds == 3
    # The machine measured the student's energy in no round, the teacher's in two of three, which is not enough.
    assert result["student"].joules is None and result["teacher"].joules is None
    assert speed.median_speed([run(2.0), run(4.0), run(1.0)]).joules == {"batch_1": 0.5, "batch_64": 0.25}


def test_order_of_sentences_is_fixed_by_the_seed():
    sentences = [str(i) for i in range(50)]
    assert speed.shuffled(sentences, 1) == speed.shuffled(sentences, 1) != sentences
    assert sorted(speed.shuffled(sentences, 2)) == sorted(sentences)


def test_no_sentences_are_refused():
    with pytest.raises(UserError, match="no sentences"):
        speed.measure(Path("model"), [" "], beam_size=4)


def test_a_model_that_is_not_there_is_reported_in_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be measured") as raised:
        speed.measure(tmp_path / "nothing", ["a sentence"], beam_size=1, repeats=1)
    assert "\n" not in str(raised.value)


def test_a_real_model_is_measured_in_a_process_without_torch(tiny_model):
    result = speed.measure(tiny_model, ["the red house", "a blue bridge"] * 15, beam_size=2, repeats=1)
    assert result.sentences == {"batch_1": 30, "batch_64": 30}
    assert all(value > 0 for value in result.sentences_per_second.values())
    assert all(value > 0 for value in result.tokens_per_second.values())
    assert 0 < result.latency_ms["p50"] <= result.latency_ms["p95"]
    # torch alone takes more than this.
    assert 10_000_000 < result.peak_rss_bytes < 180_000_000


def test_the_process_prints_one_line_of_json(tiny_model, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys.modules.get("torch"))
    file = tmp_path / "sentences.txt"
    file.write_text("the red house\n", encoding="utf-8")
    assert speed.main([str(tiny_model), str(file), "--beam", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["sentences"] == {"batch_1": 1, "batch_64": 1}

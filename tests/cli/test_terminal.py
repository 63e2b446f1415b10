import logging
import re
from pathlib import Path

import pytest

from distilmt.cli.output import Output
from distilmt.cli.terminal import rate, show_challenges, show_report
from distilmt.utils import progress

SYSTEM = {
    "bleu": 31.22,
    "chrf": 59.4,
    "file_bytes": 1234.5e6,
    "parameters": 123.4e6,
    "sentences_per_second": {"batch_1": 1234.5, "batch_64": 12345.6},
    "latency_ms": {"p50": 1234.5},
    "peak_rss_bytes": 12345e6,
}


@pytest.mark.parametrize("missing", [(), ("latency_ms", "parameters")])
def test_the_table_fits_a_terminal_of_80_columns(capsys, monkeypatch, missing):
    monkeypatch.setenv("COLUMNS", "80")
    names = ["teacher", "teacher-int8", "student-int8", "baseline-int8"]
    systems = [{"name": name} | {key: value for key, value in SYSTEM.items() if key not in missing} for name in names]
    compared = {"a": "student-int8", "b": "teacher", "metric": "bleu", "difference": -1.0, "p_value": 0.2}
    report = {"pair": {"source": "en", "target": "it"}, "test": {"sentences": 2000}, "systems": systems, "config": {}}
    show_report(report | {"comparisons": [compared]}, Path("runs/demo"))
    out = capsys.readouterr().out
    assert "…" not in out and max(map(len, out.splitlines())) <= 80
    for name in names:
        line = next(line for line in out.splitlines() if line.split()[:1] == [name])
        assert "31.22" in line and "1234.5" in line and ("–" in line) == bool(missing)
    assert "student-int8 − teacher: -1.00 BLEU (p = 0.2000)" in out and "runs/demo/report.html" in out


@pytest.mark.parametrize(
    ("speed", "output"),
    [(1234.5, "1,234.5 rows/s"), (1, "1.0 rows/s"), (0.5, "30.0 rows/min"), (1 / 240, "15.0 rows/h")],
)
def test_slow_rates_are_reported_by_the_minute_or_hour(speed, output):
    assert rate(speed, "rows") == output


def test_challenges_with_an_example_of_each_failure(capsys):
    rows = [
        {
            "name": name,
            "cases": 40,
            "student": bad,
            "teacher": 1,
            "p_value": p,
            "passed": p > 0.05,
            "examples": examples,
        }
        for name, bad, p, examples in (
            ("numbers", 9, 0.004, [{"source": "It costs [3].", "translation": "Costa."}]),
            ("short", 1, 0.5, [{"source": "dog", "translation": "cane cane"}]),
        )
    ]
    show_challenges({"challenge_sets": {"student-int8": rows}})
    out = capsys.readouterr().out
    assert "FAILED" in out and "passed" in out and "0.004" in out
    assert "numbers: It costs [3]. → Costa." in out and "cane cane" not in out
    show_challenges({})
    assert capsys.readouterr().out == ""


def test_log_messages_are_lines_with_the_time_on_standard_error(capsys):
    logger = logging.getLogger("distilmt.labels.writer")
    with Output().progress():
        logger.info("labels: 100 % done [of it]")
        logger.warning("check the labels")
        logger.debug("details")
        logging.getLogger("another.library").warning("not ours")
        with progress.task("labeling", 3):
            logger.info("within a task")
    logger.warning("nobody shows this")
    captured = capsys.readouterr()
    lines = ["labels: 100 % done [of it]", "warning: check the labels", "within a task"]
    assert captured.out == "" and re.sub(r"\[  0:0\d\] ", "", captured.err).splitlines() == lines


@pytest.mark.parametrize("flag", ["--quiet", "--json"])
def test_quiet_and_json_show_no_messages(capsys, flag):
    with Output(frozenset({flag})).progress():
        logging.getLogger("distilmt.labels.writer").warning("check the labels")
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_other_libraries_and_names_of_loggers(capsys):
    with Output(frozenset({"--verbose"})).progress():
        logging.getLogger("another.library").info("hello")
        logging.getLogger("distilmt.labels").warning("check")
    text = re.sub(r"\[  0:0\d\] ", "", capsys.readouterr().err)
    assert text == "another.library: hello\ndistilmt.labels: warning: check\n"

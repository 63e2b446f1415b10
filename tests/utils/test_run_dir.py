import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from distilmt.pipeline import step_directory, step_metrics
from distilmt.utils import run_dir
from distilmt.utils.errors import UserError

PROGRAM = "import sys, time; from pathlib import Path; from distilmt.utils.run_dir import *\n"


def program(text, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + text, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


class Cut(Exception):
    """Ends a block in the middle."""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"
    with pytest.raises(Cut), run_dir.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise Cut
    assert names(tmp_path / "deep") == []
    with run_dir.atomic_path(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(Cut), run_dir.atomic_path(path) as temporary:
        temporary.write_text("half of the new")
        raise Cut
    assert path.read_text() == "old" and names(tmp_path / "deep") == ["file"]


def test_a_directory_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "export"
    with pytest.raises(Cut), run_dir.atomic_directory(path) as temporary:
        (temporary / "half").write_text("")
        raise Cut
    assert names(tmp_path) == []
    for round_ in ("first", "second"):
        with run_dir.atomic_directory(path) as temporary:
            assert names(temporary) == []
            (temporary / round_).write_text("")
            (temporary / "card.json").write_text("{}")
        assert names(tmp_path) == ["export"] and names(path) == ["card.json", round_]
    with pytest.raises(Cut), run_dir.atomic_directory(path) as temporary:
        (temporary / "third").write_text("")
        raise Cut
    assert names(tmp_path) == ["export"] and names(path) == ["card.json", "second"]


def test_a_directory_of_others_is_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="was not written by distilmt"), run_dir.atomic_directory(tmp_path):
        pass
    assert names(tmp_path) == ["notes.txt"] and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_link_takes_no_files_place(tmp_path):
    (tmp_path / "corpus").write_text("mine")
    with pytest.raises(UserError, match="needs a link there"):
        run_dir.link(tmp_path / "corpus", tmp_path / "other")
    assert (tmp_path / "corpus").read_text() == "mine"
    for target in ("one", "two"):
        run_dir.link(tmp_path / "teacher", tmp_path / target)
        assert os.readlink(tmp_path / "teacher") == target


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    run_dir.write_json(tmp_path / "a.json", {"old": 1})
    running = program(
        "with atomic_path(Path(sys.argv[1])) as t:\n t.write_text('{'); print('half', flush=True); time.sleep(60)",
        tmp_path / "a.json",
    )
    assert running.stdout.readline() == "half\n"
    running.kill()
    running.wait()
    assert run_dir.read_json(tmp_path / "a.json") == {"old": 1}


def test_reading_json_reports_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        run_dir.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        run_dir.read_json(tmp_path / "a.json")


def test_fingerprints(tmp_path):
    assert run_dir.fingerprint({"a": 1, "b": [2]}) == run_dir.fingerprint({"b": [2], "a": 1})
    assert run_dir.fingerprint({"a": 1}) != run_dir.fingerprint({"a": 2})
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_text("ab")
    two.write_text("c")
    first = run_dir.fingerprint_files(one, two)
    one.write_text("a")
    two.write_text("bc")
    assert run_dir.fingerprint_files(one, two) != first, "where a file ends must count"


@dataclass(frozen=True)
class Parts:
    parts: int
    removed: int | None = None


class Work:
    """A step of two parts that may be cut off between them."""

    def __init__(self, cut=False):
        self.cut, self.calls = cut, 0

    def __call__(self, directory):
        self.calls += 1
        if not (directory / "first").exists():
            (directory / "first").write_text(str(self.calls))
        if self.cut:
            raise Cut
        (directory / "second").write_text("")
        return Parts(2)


def test_a_step_is_done_once(tmp_path):
    work, directory = Work(), tmp_path / "corpus"
    record = step_directory.run_step(directory, {"text": "f"}, {"seed": 1}, work)
    assert names(directory) == ["first", "second", "step.json"]
    assert (record.name, record.inputs, record.settings, record.result) == (
        "corpus",
        {"text": "f"},
        {"seed": 1},
        {"parts": 2},
    )
    assert record.peak_rss_bytes > 1 << 20 and "torch" in record.versions and record.seconds >= 0
    before = (directory / "step.json").stat().st_mtime_ns
    assert step_directory.run_step(directory, {"text": "f"}, {"seed": 1}, work) == record
    assert work.calls == 1 and (directory / "step.json").stat().st_mtime_ns == before
    assert run_dir.read_step(directory) == record


@pytest.mark.parametrize(("inputs", "settings"), [({"text": "g"}, {"seed": 1}), ({"text": "f"}, {"seed": 2})])
def test_a_changed_step_begins_anew(tmp_path, inputs, settings):
    step_directory.run_step(tmp_path / "s", {"text": "f"}, {"seed": 1}, Work())
    (tmp_path / "s" / "stray").write_text("")
    step_directory.run_step(tmp_path / "s", inputs, settings, Work())
    assert names(tmp_path / "s") == ["first", "second", "step.json"]


def test_a_step_cut_off_goes_on(tmp_path):
    directory = tmp_path / "s"
    with pytest.raises(Cut):
        step_directory.run_step(directory, {}, {"seed": 1}, Work(cut=True))
    assert run_dir.read_step(directory) is None
    assert names(directory) == ["first", "step.started.json"]
    started = json.loads((directory / "step.started.json").read_text())
    (directory / "step.started.json").write_text(json.dumps(started | {"seconds": 100.0, "peak_rss_bytes": 1 << 50}))
    (directory / "first").write_text("kept")
    record = step_directory.run_step(directory, {}, {"seed": 1}, Work())
    assert (directory / "first").read_text() == "kept"
    assert 100 <= record.seconds < 110 and record.peak_rss_bytes == 1 << 50
    assert names(directory) == ["first", "second", "step.json"]


def test_a_step_cut_off_with_other_settings_begins_anew(tmp_path):
    with pytest.raises(Cut):
        step_directory.run_step(tmp_path / "s", {}, {"seed": 1}, Work(cut=True))
    (tmp_path / "s" / "first").write_text("old")
    step_directory.run_step(tmp_path / "s", {}, {"seed": 2}, Work())
    assert (tmp_path / "s" / "first").read_text() == "1"


def test_what_a_killed_writer_left_behind_is_removed(tmp_path):
    with pytest.raises(Cut):
        step_directory.run_step(tmp_path / "s", {}, {}, Work(cut=True))
    (tmp_path / "s" / ".checkpoint.12345.tmp").write_text("half")
    (tmp_path / "s" / ".export.12345.tmp").mkdir()
    (tmp_path / "s" / ".export.12345.tmp" / "model.bin").write_text("half")
    (tmp_path / "s" / ".export.12345.old").mkdir()
    (tmp_path / "s" / ".tmpTUoVwO").write_text("half")  # as safetensors names what it is writing
    step_directory.run_step(tmp_path / "s", {}, {}, Work())
    assert names(tmp_path / "s") == ["first", "second", "step.json"]


def test_heartbeat_keeps_the_clock_of_a_killed_step(tmp_path, monkeypatch):
    monkeypatch.setattr(step_metrics, "HEARTBEAT_SECONDS", 0.02)

    def work(directory):
        time.sleep(0.3)
        seen.append(json.loads((directory / "step.started.json").read_text())["seconds"])

    seen: list[float] = []
    threads = threading.active_count()
    step_directory.run_step(tmp_path / "s", {}, {}, work)
    assert seen[0] > 0.05
    assert threading.active_count() <= threads


def test_a_damaged_record_is_reported(tmp_path):
    step_directory.run_step(tmp_path / "s", {}, {}, Work())
    for text in ("{", "[]", '{"name": 1}'):
        (tmp_path / "s" / "step.json").write_text(text)
        with pytest.raises(UserError, match="damaged"):
            run_dir.read_step(tmp_path / "s")


def test_the_lock_keeps_a_second_process_out(tmp_path):
    running = program("with locked(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(60)", tmp_path / "run")
    try:
        assert running.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=r"in use by another distilmt.*--run_dir"), run_dir.locked(tmp_path / "run"):
            pass
    finally:
        running.kill()
        running.wait()
    for _ in range(2):  # a killed process holds nothing, nor does one that is done
        with run_dir.locked(tmp_path / "run"):
            pass


def test_peak_memory_is_this_steps_own():
    """In a process of its own: what other tests have left in memory counts too."""
    lines = (
        "block = bytearray(200 << 20); block[:: 1 << 12] = b'x' * len(block[:: 1 << 12])",
        "peak = rundir.peak_rss()",
        "del block",
        "rundir.reset_peak_rss()",
        "print(peak - rundir.peak_rss())",
    )
    command = [sys.executable, "-c", "\n".join(["from distilmt.utils import run_dir as rundir", *lines])]
    assert int(subprocess.run(command, capture_output=True, check=True).stdout) > 100 << 20

"""A step that is done again leaves what was finished; what others wrote is never touched."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.pipeline import step_directory
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step


class Cut(Exception):
    """Ends the work in the middle."""


def run(directory: Path, seed: int, cut: bool = False, text: str | None = None) -> None:
    def work(place: Path) -> None:
        (place / "part").write_text(text or f"{seed}") if not (place / "part").exists() else None
        if cut:
            raise Cut
        (place / "whole").write_text(f"{seed}")

    step_directory.run_step(directory, {"corpus": "c"}, {"seed": seed}, work)


def files(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["text.en", "deep/model.bin", ".hidden"])
def test_files_of_others_are_refused_and_stay(tmp_path, name):
    path = tmp_path / "corpus" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(UserError, match="contains files that distilmt did not write"):
        run(tmp_path / "corpus", 1)
    assert files(tmp_path) == {f"corpus/{name}": "mine"}


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "teacher").write_text("mine")
    with pytest.raises(UserError, match="is a file, but a step needs a directory"):
        run(tmp_path / "teacher", 1)
    assert files(tmp_path) == {"teacher": "mine"}


def test_an_empty_directory_is_taken(tmp_path):
    (tmp_path / "corpus").mkdir()
    run(tmp_path / "corpus", 1)
    assert read_step(tmp_path / "corpus") is not None


def test_what_was_finished_is_preserved_next_to_and_brought_back(tmp_path, messages):
    run(tmp_path / "labels", 1)
    (tmp_path / "labels" / "marker").write_text("hours of work")
    run(tmp_path / "labels", 2)
    assert "seed 1 → 2" in messages[0] and "labels.before-" in messages[1] and "MB" in messages[1]
    (aside,) = step_directory.backup_directories(tmp_path / "labels")
    assert (aside / "marker").read_text() == "hours of work" and (tmp_path / "labels" / "whole").read_text() == "2"
    run(tmp_path / "labels", 1)
    assert (tmp_path / "labels" / "marker").exists(), "it is brought back, not computed again"
    (aside,) = step_directory.backup_directories(tmp_path / "labels")
    assert (aside / "whole").read_text() == "2"


def test_while_it_is_done_again_the_finished_one_stands(tmp_path):
    run(tmp_path / "labels", 1)
    with pytest.raises(Cut):
        run(tmp_path / "labels", 2, cut=True)
    record = read_step(tmp_path / "labels")
    assert record is not None and record.settings == {"seed": 1}
    assert step_directory.finished_record(tmp_path / "labels", {"corpus": "c"}, {"seed": 1}) is not None
    run(tmp_path / "labels", 2, text="begun anew")
    assert (tmp_path / "labels" / "part").read_text() == "2", "it goes on where it was cut off"


def test_a_kill_between_whole_and_in_place_loses_nothing(tmp_path):
    run(tmp_path / "labels", 1)
    run(tmp_path / "labels", 2)
    (aside,) = step_directory.backup_directories(tmp_path / "labels")
    # As a kill leaves it after the new one is whole and before it is in its place.
    (tmp_path / "labels").rename(tmp_path / "labels.next")
    run(tmp_path / "labels", 2, cut=True)
    assert (tmp_path / "labels" / "whole").read_text() == "2" and aside.exists()
    aside.rename(tmp_path / "spare")
    (tmp_path / "labels").rename(tmp_path / "labels.next")
    (tmp_path / "spare").rename(tmp_path / "labels")
    run(tmp_path / "labels", 2, cut=True)
    assert (tmp_path / "labels" / "whole").read_text() == "2"


def test_an_unfinished_one_of_other_settings_is_preserved_and_goes_on_later(tmp_path):
    with pytest.raises(Cut):
        run(tmp_path / "labels", 1, cut=True, text="paid for")
    run(tmp_path / "labels", 2)
    (aside,) = step_directory.backup_directories(tmp_path / "labels")
    assert (aside / "part").read_text() == "paid for"
    run(tmp_path / "labels", 1)
    assert (tmp_path / "labels" / "part").read_text() == "paid for"


@settings(max_examples=example_count(60), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=8))
def test_no_work_is_lost_whatever_is_requested(tmp_path_factory, calls):
    root = tmp_path_factory.mktemp("step")
    written: set[str] = set()
    for number, (seed, cut, own) in enumerate(calls):
        with contextlib.suppress(Cut):
            run(root / "labels", seed, cut, text=f"work {number}")
        there = set(files(root).values())
        assert written <= there
        written = {text for text in there if text.startswith("work")}
        if own and (root / "labels").exists():
            (root / "labels" / f"own-{number}").write_text(f"work, by hand {number}")
            written.add(f"work, by hand {number}")
    for place in root.iterdir():
        if (place / "step.json").exists():
            assert json.loads((place / "step.json").read_text())["name"] == "labels"

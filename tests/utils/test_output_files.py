"""Where translations of files go: to a file, or into a directory, and never over another file."""

from pathlib import Path

import pytest

from distilmt.utils.errors import UserError
from distilmt.utils.output_files import output_files

SOURCES = [Path("a.md"), Path("b.md")]


def targets(output: str, count: int) -> list[Path]:
    return output_files("--output", output, SOURCES[:count], ["a.md", "b.md"][:count], [".md"])


@pytest.mark.parametrize(
    ("output", "count", "expected"),
    [
        ("x.md", 1, ["x.md"]),
        ("new/", 1, ["new/a.md"]),
        ("there", 1, ["there/a.md"]),
        ("there.md", 2, ["there.md/a.md", "there.md/b.md"]),
        ("new", 2, ["new/a.md", "new/b.md"]),
    ],
)
def test_a_file_for_one_and_a_directory_for_several(monkeypatch, tmp_path, output, count, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("there", "there.md"):
        Path(name).mkdir()
    assert targets(output, count) == [Path(each) for each in expected]


@pytest.mark.parametrize(
    ("output", "count", "message"),
    [
        ("a.md", 2, "is a file, but there are 2 translations"),
        ("a.md/", 1, "is a file"),
        ("x.md", 2, "is named like a file"),
        ("a.md", 1, "one file would overwrite another"),
        (".", 2, "one file would overwrite another"),
        ("~/x", 2, "which only a shell expands"),
    ],
)
def test_what_cannot_be_written_is_refused(monkeypatch, tmp_path, output, count, message):
    monkeypatch.chdir(tmp_path)
    for source in SOURCES:
        source.touch()
    with pytest.raises(UserError, match=message):
        targets(output, count)

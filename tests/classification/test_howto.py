"""The page on classifiers does what it shows."""

import re
import shutil
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "classify.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_the_page_runs(bert, tmp_path, monkeypatch, capsys):
    shutil.copytree(bert, tmp_path / "my-bert")
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) > 5
    exec("\n".join(blocks), {})
    printed = capsys.readouterr().out
    assert "| student |" in printed and "['red']" in printed and "student__max_depth" in printed

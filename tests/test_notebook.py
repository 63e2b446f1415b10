"""The notebook of the tutorial runs, and its stored output is of the cells that it has."""

from __future__ import annotations

import os

import pytest
from helpers.pages import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

NOTEBOOK = ROOT / "docs" / "tutorials" / "first-student.ipynb"


def texts(notebook) -> list[str]:
    """What each cell of code printed, without its numbers."""
    return [
        "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    stored = texts(notebook)
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = texts(notebook)
    assert (tmp_path / "runs" / "first" / "report.html").exists()
    assert printed[:1] == stored[:1], "the corpus is another one: run the notebook again and store its output"
    assert [len(text.splitlines()) for text in printed] == [len(text.splitlines()) for text in stored]

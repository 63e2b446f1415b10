"""Labels for other programs: rows, and a data set of Hugging Face."""

import sys

import pytest
from helpers.label_stores import row, write

from distilmt import LabelStore, UserError


def test_rows_and_their_number(tmp_path):
    store = write(tmp_path / "labels", [[row(0), row(1)], [row(2)]])
    rows = list(LabelStore(str(tmp_path / "labels")))
    assert len(store) == len(rows) == 3
    assert [row.id for row in rows] == ["id-0", "id-1", "id-2"]
    assert rows[1].hypotheses[0][0] == "text 1"
    assert rows[1].top[0].tolist() == row(1).top[0].tolist()


def test_a_dataset_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets")
    store = write(tmp_path / "labels", [[row(0)], [row(1, reference=False)]])
    dataset = store.to_dataset()
    assert isinstance(dataset, datasets.Dataset)
    assert dataset["source"][:] == store.column("source") and dataset.num_rows == 2
    assert dataset[1]["hypotheses"][0]["text"] == "text 1" and dataset[1]["reference"] is None
    empty = write(tmp_path / "empty", [])
    assert empty.to_dataset().column_names == dataset.column_names


def test_a_dataset_needs_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    store = write(tmp_path / "labels", [[row(0)]])
    with pytest.raises(UserError, match=r"needs the package datasets: pip install '\.\[huggingface\]'"):
        store.to_dataset()


def test_the_directory_of_a_run_is_no_store(tmp_path):
    write(tmp_path / "run" / "labels", [[row(0)]])
    with pytest.raises(UserError, match=f"contains no labels: name {tmp_path / 'run' / 'labels'}"):
        LabelStore(tmp_path / "run")

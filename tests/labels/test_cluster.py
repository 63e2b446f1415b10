"""Labels made by workers of a Ray cluster are those made here, whoever dies meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_write import CONFIG, job, label, rows, sentences

from distilmt.labels.store import LabelStore

ray = pytest.importorskip("ray")
ON_RAY = replace(CONFIG, engine="ray")


@pytest.mark.slow
def test_two_workers_label_as_one_process(tmp_path, learnt):
    config = replace(CONFIG, compute_type="int8")
    for name, wanted in (("here", config), ("there", replace(config, engine="ray", workers=2))):
        label(sentences(), job(learnt, wanted), tmp_path / name)
    LabelStore(tmp_path / "there").check()
    assert rows(tmp_path / "there") == rows(tmp_path / "here")

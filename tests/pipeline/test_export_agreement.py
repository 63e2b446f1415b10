import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import toy

from distilmt.config import ExportConfig
from distilmt.export.ctranslate2 import CTranslate2Exporter
from distilmt.export.formats import student_exporters
from distilmt.pipeline.steps.export_agreement import compare_exports, comparison_sentences, summary

EXPORTERS = student_exporters(ExportConfig(student=["float32"], formats=["marian"]))


@pytest.fixture
def exports(tmp_path, exported_model):
    shutil.copytree(exported_model, tmp_path / "student")
    return tmp_path


def test_what_is_the_same_does_not_differ(exports, trained_model):
    texts = toy.pairs(30, seed=99)[0]
    result = compare_exports(trained_model, exports, EXPORTERS, texts)
    assert result["sentences"] == 30 and "transformers" in result["reference"]
    assert result["exports"]["student"] == {"different": 0, "share": 0.0, "examples": []}
    assert "separate program" in result["exports"]["student-marian"]["not_run"]
    line = summary(result)
    assert line == "of 30 greedy translations differ from transformers': student 0; not run: student-marian"


def test_what_differs_is_counted_and_shown(exports, trained_model, shared_tokenizer):
    from helpers.marian import new_network

    from distilmt.export.ctranslate2 import export

    other = new_network(toy.MICRO, shared_tokenizer, 0.0, 9).eval()
    export(other, shared_tokenizer, exports / "student", "float32")
    texts = toy.pairs(8, seed=99)[0]
    result = compare_exports(trained_model, exports, {"student": CTranslate2Exporter()}, texts)["exports"]["student"]
    assert result["different"] == 8 and result["share"] == 1.0 and len(result["examples"]) == 5
    assert all(e["source"] in texts and e["reference"] != e["export"] for e in result["examples"])


def test_sentences_fit_every_consumer(tmp_path, shared_tokenizer):
    texts = ["ban den fir.", "", "  two   spaces ", "ban den " * 60, *toy.pairs(600, seed=1)[0]]
    (tmp_path / "corpus").mkdir()
    columns = {"id": [f"valid-{i}" for i in range(len(texts))], "source": texts, "target": texts}
    pq.write_table(pa.table(columns), tmp_path / "corpus" / "valid.parquet")
    result = comparison_sentences(tmp_path / "corpus", shared_tokenizer, 64)
    assert len(result) == 500 and result[:2] == ["ban den fir.", "two spaces"]
    assert max(map(len, shared_tokenizer.source.encode(result))) < 64

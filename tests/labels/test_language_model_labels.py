"""Labels of a language model with faults of every kind: the store has none of them, and its manifest counts all."""

import pyarrow as pa
import pytest
from helpers.language_model import INJECTIONS, REMOVABLE, SENTENCES, UNUSABLE, LanguageModel, faulty
from helpers.servers import ScriptedServer

from distilmt.config import EndpointConfig, LabelConfig, TeacherConfig
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.labeling import Labeler
from distilmt.labels.manifest import read_manifest, stored_header
from distilmt.labels.store import LabelStore
from distilmt.report.languages import translation
from distilmt.report.responses import responses_table, without_kinds
from distilmt.teachers import existing
from distilmt.utils.step_results import to_record

PER_KIND = 2
SETTINGS = LabelConfig(top_k=0, score_on="hypothesis", shard_size=20)


@pytest.fixture(scope="module")
def server():
    instance = ScriptedServer()
    faults = faulty(UNUSABLE | {f"removed_{kind}": function for kind, function in REMOVABLE.items()}, PER_KIND)
    instance.response = LanguageModel({source: each for kind in faults.values() for source, each in kind.items()})
    yield instance
    instance.http.shutdown()
    instance.http.server_close()


@pytest.fixture(scope="module")
def labeled(server, shared_tokenizer, tmp_path_factory):
    """A store of the sentences and of texts with instructions, and the result of the step."""
    root = tmp_path_factory.mktemp("run")
    endpoint = EndpointConfig(model="big", input_price=1.0, output_price=2.0)
    existing.write_pointer(TeacherConfig(url=server.url, endpoint=endpoint), ("en", "it"), root / "teacher")
    shared_tokenizer.copy_to(root / "teacher")
    sources = [*SENTENCES, *INJECTIONS]
    table = pa.table(
        {"id": [str(i) for i in range(len(sources))], "source": sources, "target": [SENTENCES.get(s) for s in sources]}
    )
    job = LabelingTask(root / "teacher", shared_tokenizer, SETTINGS, "en", "it", False, endpoint=endpoint)
    shards = (table.slice(i, 20) for i in range(0, table.num_rows, 20))
    return root / "labels", writer.write_label_store(shards, table.num_rows, job, root / "labels")


def test_no_fault_is_a_label(server, labeled):
    texts = {row.source: [text for text, _, _ in row.hypotheses] for row in LabelStore(labeled[0])}
    unusable = {source for source, each in server.response.faults.items() if each in UNUSABLE.values()}
    assert len(unusable) == PER_KIND * len(UNUSABLE)
    assert texts == {s: [] if s in unusable or s in INJECTIONS else [SENTENCES[s]] for s in [*SENTENCES, *INJECTIONS]}


def test_the_manifest_counts_each_kind(labeled):
    manifest = read_manifest(labeled[0] / "manifest.json")
    usage = manifest["usage"]
    kinds = [kind for kind in UNUSABLE if not kind.startswith("declined")]
    assert {kind: usage[kind] for kind in kinds} == dict.fromkeys(kinds, PER_KIND)
    assert usage["declined"] == 3 * PER_KIND and usage["obeyed"] == len(INJECTIONS)
    assert usage["cleaned"] == PER_KIND * len(REMOVABLE)
    assert {kind: usage[f"removed_{kind}"] for kind in REMOVABLE} == dict.fromkeys(REMOVABLE, PER_KIND)
    assert usage["responses"] == len(SENTENCES) + len(INJECTIONS) and usage["cost"] > 0
    assert "usage" not in stored_header(manifest)


def test_the_report_shows_the_kinds_with_their_shares(labeled):
    facts = to_record(labeled[1])
    table = responses_table(facts, translation("en"))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["All"] == ("66", "100 %") and rows["Instruction in the source, not translated"] == ("6", "9.1 %")
    assert rows["… code fences"] == ("2", "3.0 %")
    assert {"cost", "requests"} <= set(without_kinds(facts)) and "usage" not in without_kinds(facts)
    assert responses_table({"usage": {"requests": 3}}, translation("en")) is None


def test_a_worker_that_stores_no_responses_returns_its_counts(server, labeled, shared_tokenizer, tmp_path):
    """As on a machine of a cluster, which gets the files of the teacher alone."""
    teacher = labeled[0].parent / "teacher"
    job = LabelingTask(teacher, shared_tokenizer, SETTINGS, "en", "it", False, cores=1)
    sources = [*list(INJECTIONS)[:2], list(SENTENCES)[-1]]
    sentences = pa.table({"id": ["0", "1", "2"], "source": sources, "target": [None] * 3})
    labeler = Labeler(job, tmp_path)
    first, second = labeler.shard(sentences), labeler.shard(sentences)
    assert first.usage["obeyed"] == second.usage["obeyed"] == 2
    assert first.usage["responses"] == second.usage["responses"] == 3

"""A teacher's first hypotheses are judged: with real programs, a real server, and models that loop."""

import shlex
import sys

import pyarrow as pa
import pytest
from helpers import toy
from helpers.servers import ScriptedServer
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import EndpointConfig, LabelConfig, TeacherConfig
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.rows import LabelRow, schema_of, shard_of
from distilmt.labels.store import LabelStore
from distilmt.labels.trial import TeacherCheck
from distilmt.teachers import existing
from distilmt.utils.errors import UserError

PROGRAM = """
import sys
for number, line in enumerate(sys.stdin):
    print(eval({expression!r}, {{"line": line.strip(), "number": number}}))
"""


def sentences(count):
    sources, targets = toy.pairs(count, seed=11)
    return pa.table({"id": [f"s{i}" for i in range(count)], "source": sources, "target": targets})


def job_of(directory, shared_tokenizer, config, teacher):
    directory.mkdir(parents=True)
    existing.write_pointer(teacher, ("en", "it"), directory)
    shared_tokenizer.copy_to(directory)
    return LabelingTask(directory, shared_tokenizer, config, "en", "it", False, endpoint=teacher.endpoint)


def label(job, directory, count):
    table, size = sentences(count), job.config.shard_size
    return writer.write_label_store((table.slice(i, size) for i in range(0, count, size)), count, job, directory)


def program(expression):
    return TeacherConfig(command=shlex.join([sys.executable, "-c", PROGRAM.format(expression=expression)]))


SMALL = LabelConfig(top_k=0, score_on="hypothesis", shard_size=30)


@pytest.mark.parametrize(
    "expression, reason",
    [
        ("'ba ' * 12", r"length_ratio \d+, repetition \d+"),
        ("line", "copy 60"),
        ("line if number % 2 else 'la la ' * 10", r"copy \d+, length_ratio \d+(, repetition \d+)?"),
        ("' '.join(map(str, range(200)))", "length_ratio 60"),
    ],
)
def test_a_program_without_translations_stops_the_labels(tmp_path, shared_tokenizer, messages, expression, reason):
    job = job_of(tmp_path / "teacher", shared_tokenizer, SMALL, program(expression))
    expected = (
        rf"60 of the teacher's first 60 hypotheses are unusable \({reason}; '.*' becomes '.*'\): check teacher\.path"
    )
    with pytest.raises(UserError, match=expected) as error:
        label(job, tmp_path / "labels", 300)
    assert "\n" not in str(error.value)
    assert LabelStore(tmp_path / "labels", unfinished=True).rows == 60  # none of 300 is made behind them


def test_a_large_shard_is_judged_before_it_is_created(tmp_path, shared_tokenizer):
    config = LabelConfig(top_k=0, score_on="hypothesis", shard_size=1000)
    job = job_of(tmp_path / "teacher", shared_tokenizer, config, program("'ba ' * 12"))
    with pytest.raises(UserError, match="100 of the teacher's first 100"):
        label(job, tmp_path / "labels", 1000)
    assert not list((tmp_path / "labels").glob("*.parquet"))


def test_some_loops_are_a_warning(tmp_path, shared_tokenizer, messages):
    job = job_of(tmp_path / "teacher", shared_tokenizer, SMALL, program("line[::-1] if number % 5 else 'ba ' * 12"))
    assert label(job, tmp_path / "labels", 120).sentences == 120
    (warning,) = [text for text in messages if text.startswith("warning")]
    assert "12 of the teacher's first 60 hypotheses are unusable (" in warning and "ba ba" in warning


def test_what_translates_is_not_mentioned(tmp_path, shared_tokenizer, messages):
    job = job_of(tmp_path / "teacher", shared_tokenizer, SMALL, program("line[::-1]"))
    label(job, tmp_path / "labels", 120)
    assert messages == []


def test_filters_that_are_off_are_not_held_against_a_teacher(tmp_path, shared_tokenizer, messages):
    config = LabelConfig(top_k=0, score_on="hypothesis", shard_size=30, drop_identical=False)
    label(job_of(tmp_path / "teacher", shared_tokenizer, config, program("line")), tmp_path / "labels", 90)
    assert messages == []


def shard(tokenizer, hypotheses):
    sources, _ = toy.pairs(len(hypotheses), seed=2)
    tokens = tokenizer.target.encode(hypotheses)
    rows = [
        LabelRow(str(i), source, None, [(text, ids, 0.0)])
        for i, (source, text, ids) in enumerate(zip(sources, hypotheses, tokens, strict=True))
    ]
    return shard_of(rows, schema_of(len(tokenizer.target.tokens)))


@settings(max_examples=30, deadline=None)
@given(total=st.integers(1, 200), share=st.floats(0, 1), size=st.integers(1, 120), outside=st.booleans())
def test_any_share_of_loops(tmp_path_factory, shared_tokenizer, total, share, size, outside):
    """Teachers of others stop at 90 %, one that the run trained beyond 99 % if its hypotheses are trained on."""
    directory = tmp_path_factory.mktemp("teacher")
    if outside:
        existing.write_pointer(program("line[::-1]"), ("en", "it"), directory)
    job = LabelingTask(directory, shared_tokenizer, SMALL, "en", "it", False)
    loops = [i < round(share * total) for i in range(total)]
    texts = ["ba " * 12 if loop else toy.pairs(1, seed=i)[1][0] for i, loop in enumerate(loops)]
    trial, judged, stopped = TeacherCheck(job), 0, False
    for begin in range(0, total, size):
        try:
            trial.on_shard_end(shard(shared_tokenizer, texts[begin : begin + size]))
        except UserError:
            stopped = True
            break
    seen = 0
    for begin in range(0, total, size):
        seen += min(100, len(texts[begin : begin + size]))
        judged += sum(loops[begin : begin + size][:100])
        if seen >= 50:
            break
    expected = seen >= 50 and (judged / seen >= 0.9 if outside else judged / seen > 0.99)
    assert stopped == expected


def test_a_small_experiment_that_learns_from_references_goes_on(tmp_path, shared_tokenizer, messages):
    job = LabelingTask(tmp_path, shared_tokenizer, SMALL, "en", "it", False, trains_on_hypotheses=False)
    TeacherCheck(job).on_shard_end(shard(shared_tokenizer, ["ba " * 12] * 60))
    assert messages[0].startswith("warning: 60 of the teacher's first 60 hypotheses are unusable")


def test_the_responses_of_a_server_are_in_the_record(tmp_path, shared_tokenizer, messages, server):
    def response(path, body):
        text = body["messages"][0]["content"].rpartition("\n")[2]
        content = {"0": "", "1": f'"{text[::-1]}"', "2": "I'm sorry, I cannot translate this."}
        reason = "length" if len(text) % 5 == 3 else "stop"
        choice = {"message": {"content": content.get(str(len(text) % 5), text[::-1])}, "finish_reason": reason}
        return 200, {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}

    server.response = response
    teacher = TeacherConfig(url=server.url + "/v1", endpoint=EndpointConfig(model="m", max_concurrency=2))
    job = job_of(tmp_path / "teacher", shared_tokenizer, SMALL, teacher)
    record = label(job, tmp_path / "labels", 40)
    lengths = [len(text) % 5 for text in dict.fromkeys(sentences(40)["source"].to_pylist())]
    expected = {"empty": 0, "cleaned": 1, "declined": 2, "cut_off": 3}
    counts = {kind: lengths.count(remainder) for kind, remainder in expected.items()}
    assert all(counts.values()) and {kind: record.usage[kind] for kind in expected} == counts
    assert record.usage["requests"] == len(lengths)
    line = messages[-1]
    assert line.startswith("usage of m in this run: ") and all(
        f"{k.replace('_', ' ')} {n}" in line for k, n in counts.items()
    )


@pytest.fixture
def server():
    instance = ScriptedServer()
    yield instance
    instance.http.shutdown()
    instance.http.server_close()

import signal
import textwrap
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from helpers import toy
from helpers.labeling import CONFIG, job, label, rows, sentences
from helpers.processes import Process

from distilmt.data import tokenizer as tokenizers
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.labels import ensemble, writer
from distilmt.labels.dataset import load_label_dataset
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError


@pytest.fixture(scope="module")
def store(tmp_path_factory, trained_model):
    directory = tmp_path_factory.mktemp("labels")
    result = label(sentences(), job(trained_model), directory)
    assert (result.sentences, result.shards, result.reused) == (35, 4, 0)
    assert result.seconds_per_sentence > 0
    return directory


def test_every_sentence_is_there_once_in_order(store):
    whole = LabelStore(store)
    whole.check()
    assert whole.rows == 35 and whole.ids() == sentences()["id"].to_pylist()
    assert whole.column("source") == sentences()["source"].to_pylist()
    assert whole.column("reference") == sentences()["target"].to_pylist()
    whole.require(tokenizer_fingerprint=job_fingerprint(whole))
    with pytest.raises(UserError, match="another tokenizer"):
        whole.require(tokenizer_fingerprint="0" * 16)


def job_fingerprint(store):
    return store.manifest["tokenizer"]


def test_hypotheses_are_the_translators(store, exported_model, shared_tokenizer):
    ids = {piece: i for i, piece in enumerate(shared_tokenizer.target.tokens)}
    output = Translator(exported_model).hypotheses(
        sentences()["source"].to_pylist(), DecodingOptions(beam_size=3, num_hypotheses=2)
    )
    for row, hypotheses in zip(rows(store), output, strict=True):
        assert [h["text"] for h in row["hypotheses"]] == [h.text for h in hypotheses]
        assert [h["tokens"] for h in row["hypotheses"]] == [[*(ids[t] for t in h.tokens), 0] for h in hypotheses]
        assert [h["score"] for h in row["hypotheses"]] == pytest.approx([h.score for h in hypotheses], abs=1e-4)


def test_words_stand_at_every_position(store, trained_model, shared_tokenizer):
    import torch

    from distilmt.models.marian_checkpoint import load_marian

    model = load_marian(trained_model)
    for row in rows(store)[:12]:
        for tokens, prefix in ((row["hypotheses"][0]["tokens"], ""), (row["reference_tokens"], "reference_")):
            if not tokens:
                assert row["reference"] is None and not row[f"{prefix}top_ids"]
                continue
            ids = np.array(row[f"{prefix}top_ids"]).reshape(-1, 4)
            values = np.array(row[f"{prefix}top_logprobs"], np.float32).reshape(-1, 4)
            assert len(ids) == len(values) == len(tokens)
            with torch.no_grad():
                logits = model(
                    input_ids=torch.tensor(shared_tokenizer.source.encode([row["source"]])),
                    decoder_input_ids=torch.tensor([[shared_tokenizer.pad, *tokens[:-1]]]),
                ).logits[0, :, :-1]
            exact = logits.log_softmax(-1).gather(1, torch.from_numpy(ids).long()).numpy()
            # Scored in bfloat16 where the processor has it: close, not equal.
            np.testing.assert_allclose(np.exp(values), np.exp(exact), atol=0.1)


def test_references_are_tokenised(store, shared_tokenizer):
    for row in rows(store):
        expected = shared_tokenizer.target.encode([row["reference"]])[0] if row["reference"] else []
        assert (row["reference_tokens"] or []) == expected


@pytest.mark.parametrize("score_on", ["hypothesis", "reference"])
def test_only_what_was_requested_is_scored(tmp_path, trained_model, score_on):
    label(sentences(12), job(trained_model, replace(CONFIG, score_on=score_on)), tmp_path)
    for row in rows(tmp_path):
        assert bool(row["top_ids"]) == (score_on == "hypothesis")
        assert bool(row["reference_top_ids"]) == (score_on == "reference" and row["reference"] is not None)


def test_a_teacher_that_is_requested_words_only_translates_nothing(tmp_path, trained_model, monkeypatch):
    monkeypatch.setattr(ensemble, "load_translation_model", None)
    label(sentences(12), job(trained_model, replace(CONFIG, num_hypotheses=0, score_on="reference")), tmp_path)
    LabelStore(tmp_path).check()
    for row in rows(tmp_path):
        assert row["hypotheses"] == [] and not row["top_ids"]
        assert bool(row["reference_top_ids"]) == (row["reference"] is not None)
    config = replace(CONFIG, num_hypotheses=0)
    result = load_label_dataset(LabelStore(tmp_path), tokenizers.load(trained_model), config, 64)
    assert not result.hypothesis.usable.any() and result.dropped == {}
    assert result.reference.usable.sum() == 11 and len(result.reference.top_ids) == len(result.reference.tokens.flat)


def test_without_words(tmp_path, trained_model):
    label(sentences(12), job(trained_model, replace(CONFIG, top_k=0)), tmp_path)
    LabelStore(tmp_path).check()
    assert LabelStore(tmp_path).k == 0
    assert all(not row["top_ids"] and row["hypotheses"] for row in rows(tmp_path))


def test_a_second_call_requests_nothing(tmp_path, trained_model, monkeypatch):
    label(sentences(12), job(trained_model), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.parquet")}
    monkeypatch.setattr(writer, "Labeler", None)
    label(sentences(12), job(trained_model), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.parquet")} == before


_PROGRAM = """
    import os, signal
    from pathlib import Path
    from helpers.labeling import *
    import distilmt.labels.store_writer as store_writer
    whole = store_writer.write_json
    def killed(path, value):
        if len(value["shards"]) == 3:
            os.kill(os.getpid(), signal.SIGKILL)  # the third shard is written, but not yet in the manifest
        whole(path, value)
    store_writer.write_json = killed
    label(sentences(), job(Path({teacher!r})), Path({directory!r}))
"""


def test_a_killed_labelling_goes_on_where_it_stood(tmp_path, trained_model, store, monkeypatch):
    program = textwrap.dedent(_PROGRAM).format(teacher=str(trained_model), directory=str(tmp_path))
    process = Process(program=program).completed()
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()[-2000:]
    requests = []
    request = writer.Labeler.label
    monkeypatch.setattr(
        writer.Labeler, "label", lambda self, t: requests.extend(t["id"].to_pylist()) or request(self, t)
    )
    label(sentences(), job(trained_model), tmp_path)
    assert requests == [f"s{i}" for i in range(20, 35)], "one shard is lost, and no other asked for again"
    LabelStore(tmp_path).check()
    assert rows(tmp_path) == rows(store)


def test_a_store_of_another_teacher_is_refused(tmp_path, trained_model):
    label(sentences(12), job(trained_model), tmp_path)
    with pytest.raises(UserError, match="decoding"):
        label(sentences(12), job(trained_model, replace(CONFIG, beam_size=2)), tmp_path)
    with pytest.raises(UserError, match="k: choose another directory"):
        label(sentences(12), job(trained_model, replace(CONFIG, top_k=2)), tmp_path)


def test_a_teacher_with_other_pieces_gives_no_words(tmp_path, trained_model, exported_model, shared_tokenizer):
    from distilmt.utils.run_dir import write_json

    write_json(tmp_path / "teacher" / "teacher.json", {"path": str(trained_model)})
    shared_tokenizer.copy_to(tmp_path / "teacher")
    with pytest.raises(UserError, match=r"labels\.top_k and student\.objective\.kd_weight to 0"):
        label(sentences(12), job(tmp_path / "teacher"), tmp_path / "labels")
    assert not (tmp_path / "labels").exists()
    label(sentences(12), job(tmp_path / "teacher", replace(CONFIG, top_k=0)), tmp_path / "labels")
    LabelStore(tmp_path / "labels").check()
    # Its own tokenizer has the same pieces here, so its tokens are ours.
    output = [row["hypotheses"][0]["text"] for row in rows(tmp_path / "labels")]
    assert output == Translator(exported_model).translate(sentences(12)["source"].to_pylist(), 3)


def test_sentences_longer_than_the_teacher_are_not_scored(tmp_path, trained_model):
    table = pa.table({"id": ["a", "b"], "source": ["ban " * 100, "ban."], "target": ["bonata.", "bonata."]})
    label(table, job(trained_model), tmp_path)
    LabelStore(tmp_path).check()
    assert [bool(row["top_ids"]) for row in rows(tmp_path)] == [False, True]
    assert [len(row["hypotheses"]) for row in rows(tmp_path)] == [2, 2]


def test_pace_is_measured(tmp_path, trained_model):
    assert 0 < writer.seconds_per_sentence(sentences(), job(trained_model), tmp_path) < 5


@pytest.fixture(scope="module")
def second(tmp_path_factory, trained_model, shared_tokenizer):
    """Another teacher with the same pieces."""
    import torch

    from distilmt.models.marian_checkpoint import load_marian

    model, directory = load_marian(trained_model), tmp_path_factory.mktemp("second")
    torch.manual_seed(1)
    for parameter in model.model.encoder.layers.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(directory)
    shared_tokenizer.copy_to(directory)
    return directory


def test_an_ensembles_translations_are_pooled_and_its_words_averaged(tmp_path, trained_model, second, store):
    config = replace(CONFIG, ensemble=[str(second)], top_k=4)
    label(sentences(12), job(trained_model, config), tmp_path / "both")
    label(sentences(12), job(second), tmp_path / "second")
    LabelStore(tmp_path / "both").check()
    differ = 0
    for pooled, one, other in zip(*map(rows, (tmp_path / "both", store, tmp_path / "second")), strict=False):
        both = one["hypotheses"] + other["hypotheses"]
        assert [h["tokens"] for h in pooled["hypotheses"]] == [h["tokens"] for h in both]
        if not pooled["reference"]:
            continue
        ids, logs = ([row[f"reference_top_{kind}"][0] for row in (pooled, one, other)] for kind in ("ids", "logprobs"))
        if ids[0] == ids[1] == ids[2]:
            mean = (np.exp(float(logs[1])) + np.exp(float(logs[2]))) / 2
            assert np.exp(float(logs[0])) == pytest.approx(mean, abs=0.03)  # scored in bf16 where there is that
            differ += logs[1] != logs[2]
    assert differ > 0


def test_an_ensemble_of_other_pieces_is_refused(tmp_path, trained_model, split_tokenizer):
    from helpers.marian import new_network

    new_network(toy.MICRO, split_tokenizer, 0.0, 1).save_pretrained(tmp_path / "other")
    split_tokenizer.copy_to(tmp_path / "other")
    with pytest.raises(UserError, match="has another vocabulary than the teacher"):
        label(
            sentences(12), job(trained_model, replace(CONFIG, ensemble=[str(tmp_path / "other")])), tmp_path / "labels"
        )


def test_sampled_translations(tmp_path, trained_model, exported_model):
    config = replace(CONFIG, sampling_temperature=1.0, num_hypotheses=6)
    label(sentences(12), job(trained_model, config), tmp_path)
    LabelStore(tmp_path).check()
    texts = [[h["text"] for h in row["hypotheses"]] for row in rows(tmp_path)]
    assert {len(row) for row in texts} == {6}
    assert max(len(set(row)) for row in texts) > 3
    cold = Translator(exported_model).hypotheses(
        sentences(12)["source"].to_pylist(), DecodingOptions(num_hypotheses=2, sampling_temperature=1e-4)
    )
    greedy = Translator(exported_model).translate(sentences(12)["source"].to_pylist(), beam_size=1)
    assert [[h.text for h in row] for row in cold] == [[text] * 2 for text in greedy]

"""Choosing among stored candidates: which one, and that nothing is lost or decoded again."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import commands, toy

from distilmt.config import LabelConfig
from distilmt.config.loading import load
from distilmt.data import tokenizer as tokenizers
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.labeling import Labeler
from distilmt.labels.manifest import label_header
from distilmt.labels.rerank import mbr_ranking, oracle_ranking, rerank, utility
from distilmt.labels.rows import rows_of
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.utils.errors import UserError
from distilmt.utils.step_results import SelectionResult

CONFIG = LabelConfig(beam_size=4, num_hypotheses=4, compute_type="float32", top_k=4, shard_size=10, rerank="oracle")


def test_the_nearest_to_the_reference():
    score = utility("chrf")
    candidates = ["a black cat sleeps", "the dog runs home", "the dog ran"]
    assert oracle_ranking(candidates, "the dog runs home", score) == [1, 2, 0]


@pytest.mark.parametrize("name", ["chrf", "bleu"])
def test_the_one_most_like_the_others(name):
    candidates = ["quite another thing", "a dog went home now", "the dog runs home now", "the dog runs home", "xyz"]
    assert mbr_ranking(candidates, utility(name))[0] == 2
    assert mbr_ranking(["same words", "same words", "others"], utility(name)) == [0, 1, 2]


def test_utilities_by_hand():
    assert float(utility("chrf")(["same words here now"], ["same words here now"])[0, 0]) == pytest.approx(100)
    assert float(utility("bleu")(["one two three four"], ["one two three four"])[0, 0]) == pytest.approx(100)
    assert float(utility("bleu", "zh")(["我喜欢狗和猫"], ["我喜欢狗和猫"])[0, 0]) == pytest.approx(100)


def job(teacher, config=CONFIG):
    return LabelingTask(teacher, tokenizers.load(teacher), config, "en", "it", needs_top_k=True)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory, trained_model):
    import pyarrow as pa

    sources, targets = toy.pairs(35, seed=21)
    targets[4] = None
    table = pa.table({"id": [f"s{i}" for i in range(35)], "source": sources, "target": targets})
    directory = tmp_path_factory.mktemp("candidates")
    writer.write_label_store((table.slice(i, 10) for i in range(0, 35, 10)), 35, job(trained_model), directory)
    return LabelStore(directory)


def rows(store):
    return [row for table in store.shards() for row in rows_of(table, store.k)]


@pytest.mark.parametrize("way", ["oracle", "mbr"])
def test_chosen_ones_stand_first_with_their_own_words(candidates, trained_model, tmp_path, way):
    config, score = replace(CONFIG, rerank=way), utility("chrf")
    result = rerank(candidates, config, job(trained_model, config), score, tmp_path)
    store = LabelStore(tmp_path)
    store.check()
    changed, labeler = 0, Labeler(job(trained_model, replace(config, num_hypotheses=0)), tmp_path)
    for before, after in zip(rows(candidates), rows(store), strict=True):
        texts = [text for text, _, _ in before.hypotheses]
        if way == "mbr":
            expected = mbr_ranking(texts, score)[0]
        else:
            expected = oracle_ranking(texts, before.reference, score)[0] if before.reference else 0
        assert after.id == before.id and after.hypotheses[0] == before.hypotheses[expected]
        assert sorted(after.hypotheses) == sorted(before.hypotheses)
        changed += expected > 0
        (words,) = labeler.score_top_k([before.source], [after.hypotheses[0][1]])
        np.testing.assert_allclose(after.top[1].astype(float), words[1].astype(float), atol=0.02)
    assert result == SelectionResult(sentences=35, changed=changed, rows=35) and changed > 0
    assert not list(tmp_path.glob("teacher-*"))  # nothing was exported, so nothing was decoded


def test_the_likeliest_stands_first(candidates, tmp_path):
    """Samples come in no order: here the worst stands first in the store."""
    header = label_header(candidates.manifest)
    backwards = LabelWriter(tmp_path / "samples", header, 0)
    for table in candidates.shards():
        shuffled = [replace(row, hypotheses=row.hypotheses[::-1], top=None) for row in rows_of(table, candidates.k)]
        backwards.write_shard([replace(row, reference_tokens=None, reference_top=None) for row in shuffled])
    backwards.finish()
    config = replace(CONFIG, rerank="likelihood", top_k=0)
    rerank(LabelStore(tmp_path / "samples"), config, None, utility("chrf"), tmp_path / "selected")
    actual = LabelStore(tmp_path / "selected")
    scores = [[score for _, _, score in row.hypotheses] for row in rows(actual)]
    assert len(scores) == 35 and all(values[0] == max(values) for values in scores)


@pytest.mark.parametrize("way", ["best", "mbr"])
def test_several_of_a_sentence_are_rows_of_their_own(candidates, trained_model, tmp_path, way):
    config, score = replace(CONFIG, rerank=way, n_best=3), utility("chrf")
    result = rerank(candidates, config, job(trained_model, config), score, tmp_path)
    store = LabelStore(tmp_path)
    store.check()
    labeler, actual = Labeler(job(trained_model, replace(config, num_hypotheses=0)), tmp_path), rows(store)
    assert result.rows == len(actual) > 70
    for before in rows(candidates):
        texts = [text for text, _, _ in before.hypotheses]
        order = mbr_ranking(texts, score) if way == "mbr" else range(len(texts))
        target_value = list(dict.fromkeys(texts[i] for i in order))[:3]
        own = [row for row in actual if row.id.split("#")[0] == before.id]
        assert [row.hypotheses[0][0] for row in own] == target_value
        assert [row.id for row in own] == [before.id, f"{before.id}#2", f"{before.id}#3"][: len(target_value)]
        assert {(row.source, row.reference) for row in own} == {(before.source, before.reference)}
        for row in own:
            (words,) = labeler.score_top_k([row.source], [row.hypotheses[0][1]])
            np.testing.assert_allclose(row.top[1].astype(float), words[1].astype(float), atol=0.02)


@pytest.fixture(scope="module")
def backwards(tmp_path_factory, shared_tokenizer):
    """A model of the other direction that has learnt nothing."""
    from helpers.marian import new_network

    directory = tmp_path_factory.mktemp("backwards")
    new_network(replace(toy.MICRO, max_positions=8), shared_tokenizer, 0.0, 5).save_pretrained(directory)
    shared_tokenizer.copy_to(directory)
    return directory


def test_the_other_direction_scores_what_was_chosen(candidates, trained_model, backwards, tmp_path):
    import torch

    from distilmt.models.marian_checkpoint import load_marian

    config = replace(CONFIG, rerank="none", backward_model=str(backwards))
    rerank(candidates, config, job(trained_model, config), utility("chrf"), tmp_path)
    model, tokenizer, missing = load_marian(backwards), tokenizers.load(backwards), 0
    for row in rows(LabelStore(tmp_path)):
        hypothesis = tokenizer.source.encode([row.hypotheses[0][0]])[0]
        source = tokenizer.target.encode([row.source])[0]
        if max(len(hypothesis), len(source)) > 8:
            assert row.reverse is None
            missing += 1
            continue
        with torch.no_grad():
            start = torch.tensor([[tokenizer.pad, *source[:-1]]])
            logits = model(input_ids=torch.tensor([hypothesis]), decoder_input_ids=start).logits[0, :, :-1]
        target_value = logits.log_softmax(-1).gather(1, torch.tensor(source)[:, None]).mean()
        assert row.reverse == pytest.approx(float(target_value), abs=1e-3)
    assert 0 < missing < 35


def test_a_run_without_the_least_likely(tmp_path, backwards):
    labels = {"backward_model": str(backwards), "backward_keep_fraction": 0.5}
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, labels=labels))
    process = commands.distilmt("train-student", config, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    dropped = json.loads((tmp_path / "run" / "student" / "step.json").read_text())["result"]["hypotheses_dropped"]
    assert dropped["reverse"] > 50


def test_more_than_there_are_cannot_be_preserved(tmp_path):
    labels = {"n_best": 3, "num_hypotheses": 2}
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, labels=labels))
    with pytest.raises(UserError, match=r"labels\.n_best is 3"):
        load([str(config)])


def test_going_on_makes_the_same(candidates, trained_model, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    rerank(candidates, CONFIG, job(trained_model), utility("chrf"), whole)
    shutil.copytree(whole, cut)
    (cut / "shard-00002.parquet").write_bytes(b"damaged")
    rerank(candidates, CONFIG, job(trained_model), utility("chrf"), cut)
    for path in whole.glob("shard-*"):
        assert (cut / path.name).read_bytes() == path.read_bytes()


def test_one_candidate_is_no_choice(tmp_path):
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, labels={"rerank": "mbr"}))
    with pytest.raises(UserError, match=r"labels\.num_hypotheses"):
        load([str(config)])


def test_a_run_with_a_choice(tmp_path):
    labels = {"rerank": "oracle", "num_hypotheses": 2}
    config = toy.write_config(tmp_path / "run.yaml", toy.run_config(tmp_path, labels=labels))
    process = commands.distilmt("run", config, "--quiet")
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    assert ".oracle-chrf" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "selection" / "step.json").exists()

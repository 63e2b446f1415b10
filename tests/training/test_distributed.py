"""Several processes train what one would."""

import json
import socket
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers.processes import Process, offline_environment
from helpers.training import CONFIG, REFERENCES, improving, job, model, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import ObjectiveConfig
from distilmt.training.batching import Ragged, TargetSide, TrainingSet, collate, shard_batch
from distilmt.training.checkpoint_files import CHECKPOINT
from distilmt.training.distributed import SINGLE_PROCESS, Ranks
from distilmt.training.muon import Stack
from distilmt.training.trainer import train
from distilmt.training.zero import Shards

TEACHER = ObjectiveConfig(kd_weight=0.5, ce_weight=0.5, reference_fraction=1.0, top_k=2)
LENGTHS = st.lists(st.tuples(st.integers(1, 9), st.integers(2, 9), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(LENGTHS, st.integers(1, 5))
def test_shares_make_up_the_batch(sentences, shares):
    source, target, use_reference = map(np.array, zip(*sentences, strict=True))
    sides = [Ragged.of([[7 * i + j for j in range(n)] for i, n in enumerate(target)]) for _ in range(2)]
    data = TrainingSet(
        Ragged.of([[1] * n for n in source]), *(TargetSide(s, np.ones(len(source), bool)) for s in sides), 99
    )
    rows = np.arange(len(source))
    whole = collate(data, rows, use_reference)[1].ids.tolist()
    result, counted = [], 0
    for number in range(shares):
        *own_result, place = shard_batch(data, rows, use_reference, number, shares)
        ids = collate(data, *own_result)[1].ids.tolist()  # nobody is left without a sentence
        assert place.tokens == len(whole)
        counted += place.is_valid
        if place.is_valid:
            assert place.token_offset == len(result)
            result += ids
            extra = (
                int((data.source.lengths[own_result[0]] + data.lengths(*own_result)).sum())
                - (source + target).sum() / shares
            )
            assert extra <= (source + target).max()  # they are about equally long
    assert result == whole and counted <= len(sentences)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 20), st.lists(st.integers(1, 5), max_size=3), st.integers(1, 5))
def test_every_weight_has_one_rank(head, counts, size):
    stacks, begin = [], head
    for columns, count in enumerate(counts, 2):
        stacks.append(Stack(begin, count, 2, columns))
        begin = stacks[-1].end
    flat, parts = torch.arange(float(begin)), []
    for rank in range(size):
        shards = Shards(Ranks(rank, size), head, stacks)
        parts.append(shards.own(flat))
        matrices = [m for stack in shards.own_stacks() for m in stack.of(parts[-1])]
        peer = [m for stack in stacks for m in stack.of(flat)]
        assert all(any(torch.equal(m, t) for t in peer) for m in matrices)  # whole ones
        assert sum(m.numel() for m in matrices) == len(parts[-1]) - shards.heads()[rank]
        assert torch.equal(parts[-1][: shards.heads()[rank]], shards.own_head(flat[:head]))
    assert torch.equal(torch.cat(parts).sort().values, flat)


def jobs(tokenizer):
    """Trainings whose losses look at a whole batch in all the ways there are, without dropout; by name."""
    config = replace(CONFIG, dropout=0.0, threads=1, max_steps=6, eval_steps=3)
    plain = job(tokenizer, config)
    side = plain.data.reference
    ids = side.tokens.flat
    random = np.random.default_rng(1).uniform(0.5, 0.9, (len(ids), 1))
    top = replace(side, top_ids=np.stack([ids, (ids + 1) % tokenizer.pad], 1).astype(np.uint16))
    top.top_logprobs = np.log(np.concatenate([random, 0.9 - random / 1.01], 1)).astype(np.float16)
    # The other half of the sentences learns from "hypotheses", which stand behind the references in a batch.
    message = replace(plain, data=replace(plain.data, reference=top, hypothesis=top, reference_share=0.5))
    return {
        "plain": plain,
        "adam": replace(plain, config=replace(config, optimizer="adam", ema_decay=0.0), seed=2),
        # An epoch ends with a batch of one sentence, and some sentences are a batch of their own.
        "short": replace(plain, config=replace(config, batch_tokens=24), seed=3),
        "weighted": replace(message, objective=replace(TEACHER, entropy_mode="weight_high")),
        "consistent": replace(message, objective=replace(TEACHER, r_drop_weight=0.5, teacher_annealing=True)),
        "guided": replace(
            plain,
            objective=replace(REFERENCES, hidden_state_weight=0.5, attention_weight=0.5),
            teacher=model(tokenizer, 5),
        ),
        "pruned": replace(plain, keep_zeros=True),
        "rounded": replace(plain, bits=4, config=replace(config, ema_decay=0.0)),
    }


def prepared(name, tokenizer):
    network = model(tokenizer)
    if name == "pruned":
        for p in network.parameters():
            p.data[p.abs() < 0.02] = 0
    return network


_PROGRAM = """
    import json, sys
    sys.path[:0] = {paths!r}
    import torch
    from pathlib import Path
    from distilmt.data import tokenizer
    from distilmt.utils.hardware import rank
    from distilmt.training import distributed as ranks
    from distilmt.training.hard_tokens import HardTokenQueue
    from distilmt.training.trainer import train_worker, train
    from distilmt.training.train_step import Stepper
    from distilmt.utils.step_results import to_record
    from test_distributed import improving, jobs, prepared, queued, weights
    torch.set_num_threads(1)
    def work(task, together):
        queued(together) if task == "queue" else train_worker(task, together)
    if rank():
        sys.exit(ranks.worker_loop(work))
    pieces, directory, found = tokenizer.load(Path({pieces!r})), Path({directory!r}), {{}}
    with ranks.main_process():
        for name, job in jobs(pieces).items():
            best, result, log = train(prepared(name, pieces), job, improving(), directory / name)
            found[name] = to_record(result) | {{"log": log}}
            torch.save(weights(best), directory / f"{{name}}.pt")
        ranks.current().broadcast_object("queue")
        torch.save(queued(ranks.current()), directory / "queue.pt")
    (directory / "found.json").write_text(json.dumps(found))
"""


def queued(ranks):
    """The last positions' losses that are kept, as they stand after three batches of 5 positions, of shares each."""
    from distilmt.losses.distillation import Statistics
    from distilmt.training.batching import BatchShard
    from distilmt.training.hard_tokens import HardTokenQueue
    from distilmt.training.train_step import Stepper

    queue = HardTokenQueue(12)
    for update in range(3):
        rows = torch.arange(5.0) + 5 * update
        begin, end = (5 * n // ranks.size for n in (ranks.rank, ranks.rank + 1))
        stepper = SimpleNamespace(ranks=ranks, loss_queue=queue)
        statistics = Statistics(*torch.ones(3), rows[begin:end])
        queue.add(Stepper.reduce_statistics(stepper, statistics, BatchShard(5, begin)).rows)
    return queue.values


@pytest.fixture(scope="module")
def together(no_gpu, tmp_path_factory, shared_tokenizer):
    """Where two processes have trained all jobs."""
    directory = tmp_path_factory.mktemp("together")
    run_together(_PROGRAM, directory, shared_tokenizer)
    return directory


def run_together(program, directory, tokenizer, processes=2, status=0):
    """Run a program as several ranks; returns what each wrote to standard error."""
    paths = [str(Path(__file__).parent)]
    text = textwrap.dedent(program).format(paths=paths, pieces=str(tokenizer.directory), directory=str(directory))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    started = []
    for rank in range(processes):
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        environment = offline_environment() | place | {name: str(value) for name, value in names.items()}
        started.append(Process(program=text, environment=environment))
    try:
        errors = [process.completed(timeout=120).stderr.decode() for process in started]
    finally:
        for process in started:
            process.kill()  # one that waits for the other for ever
    assert [process.returncode for process in started] == [status] * processes, "".join(errors)[-3000:]
    return errors


NAMES = ("plain", "adam", "short", "weighted", "consistent", "guided", "pruned", "rounded")


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_what_one_does(tmp_path, shared_tokenizer, together, name):
    expected = jobs(shared_tokenizer)[name]
    best, alone, log = train(prepared(name, shared_tokenizer), expected, improving(), tmp_path)
    both = json.loads((together / "found.json").read_text())[name]
    assert both.pop("processes") == 2
    assert both["updates"] == alone.updates == 6
    for a, b in zip(log, both["log"], strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], rel=2e-5)
        assert b["distillation_loss"] == pytest.approx(a["distillation_loss"], rel=1e-3, abs=1e-4)
        assert b["learning_rate"] == a["learning_rate"]
    # Muon's orthogonal matrices and rounding magnify the last bits.
    gap = (torch.load(together / f"{name}.pt") - weights(best)).norm() / weights(best).norm()
    assert gap < 1e-3
    moved = (weights(best) - weights(prepared(name, shared_tokenizer))).norm() / weights(best).norm()
    assert moved > 20 * gap


_DIVERGING = """
    import sys
    sys.path[:0] = {paths!r}
    import torch
    from pathlib import Path
    from distilmt.data import tokenizer
    from distilmt.utils.errors import UserError
    from distilmt.utils.hardware import rank
    from distilmt.training import distributed as ranks
    from distilmt.training.trainer import train_worker, train
    from test_distributed import diverging, improving, model
    torch.set_num_threads(1)
    if rank():
        sys.exit(ranks.worker_loop(train_worker))
    pieces, directory = tokenizer.load(Path({pieces!r})), Path({directory!r})
    try:
        with ranks.main_process():
            train(model(pieces), diverging(pieces, directory.name), improving(), directory)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
"""


def diverging(tokenizer, name):
    """A job whose loss, or whose weights alone, are no numbers at the first validation."""
    every = {"loss": 100, "average": 1}[name]
    return job(tokenizer, replace(CONFIG, learning_rate=1e38, max_steps=100, warmup_steps=0, eval_steps=every))


@pytest.mark.parametrize(
    ("name", "number"),
    [pytest.param("loss", "loss", marks=pytest.mark.slow), ("average", "average of the weights")],
)
def test_a_training_that_diverges_stops_on_all_ranks(tmp_path, no_gpu, shared_tokenizer, name, number):
    (tmp_path / name).mkdir()
    leader, follower = run_together(_DIVERGING, tmp_path / name, shared_tokenizer, status=2)
    lines = [line for line in leader.splitlines() if "is not finite" in line]
    assert len(lines) == 1 and f"the {number} is not finite" in lines[0] and "learning_rate" in lines[0]
    assert "Traceback" not in leader + follower
    assert not list((tmp_path / name).glob("*.safetensors"))


def test_hardest_positions_of_all_shares(together):
    assert torch.equal(torch.load(together / "queue.pt"), queued(SINGLE_PROCESS))


def test_checkpoints_do_not_depend_on_how_many_wrote_them(tmp_path, shared_tokenizer, together):
    for name in ("plain", "guided"):
        train(prepared(name, shared_tokenizer), jobs(shared_tokenizer)[name], improving(), tmp_path / name)
        files = [safetensors.torch.load_file(place / name / CHECKPOINT) for place in (tmp_path, together)]
        assert files[0].keys() == files[1].keys()
        for key, value in files[0].items():
            assert value.shape == files[1][key].shape and value.dtype == files[1][key].dtype
            assert (value - files[1][key]).norm() < 1e-3 * value.norm(), (name, key)

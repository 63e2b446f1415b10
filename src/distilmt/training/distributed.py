"""Distributed training: several ranks, started by torchrun on one or more machines, train one model together.

Rank 0 does everything that a single process does: it owns the run directory, labels, validates, writes files. The other
ranks are idle until a training starts. Rank 0 then broadcasts the model and the data, so that only rank 0 needs the run
directory. Each rank computes its own shard of every batch.
"""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores

T = TypeVar("T")

_UPDATE_TIMEOUT = timedelta(minutes=30)
"""Timeout for the gradients of other ranks; an update or a checkpoint never takes this long."""
_IDLE_TIMEOUT = timedelta(days=30)
"""Timeout of the other ranks while rank 0 labels or validates. The end of a rank closes its connections at once."""
_BROADCAST_BYTES = 1 << 30


@dataclass(frozen=True)
class Ranks:
    """This process in the process group. In a group of one, every method returns its argument.

    All ranks must call the same methods in the same order. The methods raise UserError if another rank has ended.
    """

    rank: int = 0
    size: int = 1
    threads: int = 0
    """CPU threads of each rank; 0: one per core."""
    cpu_group: Any = None
    """The CPU process group with the long timeout."""

    @property
    def is_main_process(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor (any shape) over all ranks, in place. The result is bit-identical on all ranks."""
        if self.size > 1:
            with _connection_errors():
                dist.all_reduce(tensor)
        return tensor

    def all_gather(self, tensor: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        """The vectors of all ranks: rank r's is [lengths[r]]."""
        if self.size == 1:
            return [tensor]
        longest = max(lengths)
        # Gloo requires vectors of equal length.
        padded = tensor.new_zeros(longest)
        padded[: len(tensor)] = tensor
        vectors = [torch.empty_like(padded) for _ in lengths]
        with _connection_errors():
            dist.all_gather(vectors, padded)
        return [whole[:length] for whole, length in zip(vectors, lengths, strict=True)]

    def broadcast_numbers(self, *numbers: float) -> list[float]:
        """Broadcast rank 0's numbers."""
        if self.size == 1:
            return [*numbers]
        buffer = torch.tensor(numbers, dtype=torch.float64)
        with _connection_errors():
            dist.broadcast(buffer, 0, group=self.cpu_group)
        return buffer.tolist()

    def broadcast_object(self, value: T) -> T:
        """Broadcast rank 0's value: any object that can be pickled. Arrays are sent without a copy.

        Pickles are only received from the processes of this training.
        """
        if self.size == 1:
            return value
        with _connection_errors():
            return self._send(value) if self.is_main_process else self._receive()

    def _send(self, value: T) -> T:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, 5, buffer_callback=buffers.append)
        parts = [_bytes(bytearray(head)), *(_bytes(buffer.raw()) for buffer in buffers)]
        sizes = torch.tensor([len(part) for part in parts])
        self._broadcast(torch.tensor([len(parts)]))
        for part in (sizes, *parts):
            self._broadcast(part)
        return value

    def _receive(self) -> Any:
        count, sizes = torch.zeros(1, dtype=torch.int64), torch.empty(0)
        self._broadcast(count)
        sizes = torch.zeros(int(count), dtype=torch.int64)
        self._broadcast(sizes)
        parts = [torch.empty(size, dtype=torch.uint8) for size in sizes.tolist()]
        for part in parts:
            self._broadcast(part)
        return pickle.loads(bytes(parts[0].numpy()), buffers=[part.numpy() for part in parts[1:]])

    def _broadcast(self, tensor: Tensor) -> None:
        """Broadcast a vector [n], in place, in parts that the network takes."""
        for chunk in tensor.split(_BROADCAST_BYTES):
            if len(chunk):
                dist.broadcast(chunk, 0, group=self.cpu_group)


SINGLE_PROCESS = Ranks()
_current = SINGLE_PROCESS


def current() -> Ranks:
    """The ranks of this process's trainings."""
    return _current


@contextmanager
def main_process() -> Iterator[None]:
    """Run the block on rank 0; then let the other ranks exit."""
    global _current
    _current = _init_process_group()
    try:
        yield
    except BaseException:
        # The other ranks detect that this process ends. torchrun then sends SIGTERM, which must not cut off the error
        # message.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    _current.broadcast_object(None)
    dist.destroy_process_group()
    _current = SINGLE_PROCESS


def worker_loop(train_job: Callable[[Any, Ranks], None]) -> int:
    """Run `train_job` on every job that rank 0 broadcasts, until it exits; returns the exit status.

    A UserError is not printed here: rank 0 gets the same error and reports it.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # There is nothing to clean up, and Python handlers do not run during a wait in C code.
        signal.signal(number, signal.SIG_DFL)
    try:
        ranks = _init_process_group()
        while (job := ranks.broadcast_object(None)) is not None:
            train_job(job, ranks)
        dist.destroy_process_group()
    except UserError:
        return 2
    return 0


def _init_process_group() -> Ranks:
    """Join the process group that torchrun's environment variables describe; on a machine with GPUs, use one GPU."""
    local_rank, local_world_size = (
        int(os.environ.get(name, other)) for name, other in (("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1))
    )
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        if local_world_size > torch.cuda.device_count():
            raise UserError(
                f"{local_world_size} processes on a machine with {torch.cuda.device_count()} GPUs: start one process "
                "per GPU (--nproc-per-node gpu)"
            )
        torch.cuda.set_device(local_rank)
    with _connection_errors():
        # After a restart, torchrun's store still has the addresses of the former processes.
        store, global_rank, size = next(dist.rendezvous("env://", timeout=_UPDATE_TIMEOUT))
        store = dist.PrefixStore(f"distilmt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=global_rank, world_size=size, timeout=_UPDATE_TIMEOUT)
        cpu_group = dist.new_group(backend="gloo", timeout=_IDLE_TIMEOUT)
    return Ranks(global_rank, size, max(1, cores() // local_world_size), cpu_group)


@contextmanager
def _connection_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise UserError(
            "another process of this training has ended or cannot be reached: read its error message, then repeat the "
            f"same command to resume from the last checkpoint ({reason})"
        ) from None


def _bytes(buffer: bytearray | memoryview) -> Tensor:
    if not len(buffer):
        return torch.empty(0, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the buffer is read-only; the tensor is never written to
        return torch.frombuffer(buffer, dtype=torch.uint8)

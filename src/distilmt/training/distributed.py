"""Several processes that train one model together ("ranks", as torchrun starts them), on one machine or on many.

The first, the leader, does all that a single process does: it holds the run directory, labels, validates, writes. The
others are idle until it trains something. They are then given the model and the data over the network, so that only
the leader needs the run directory, and each computes on its own share of every batch.
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
"""That a rank waits for the others' gradients: nobody needs so long for an update, or to write a checkpoint."""
_IDLE_TIMEOUT = timedelta(days=30)
"""That the others wait while the leader labels or validates. Who ends is noticed at once: connections close."""
_BROADCAST_BYTES = 1 << 30


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together. Alone, every method gives back what it was given.

    All ranks must call the same methods in the same order. They raise UserError if another rank has ended.
    """

    rank: int = 0
    size: int = 1
    threads: int = 0
    """CPU threads for each; 0: one per core."""
    cpu_group: Any = None
    """The process group on the CPU whose members wait for days."""

    @property
    def is_main_process(self) -> bool:
        """Whether this is the leader."""
        return self.rank == 0

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks, written over the tensor: the same bits everywhere."""
        if self.size > 1:
            with _connection_errors():
                dist.all_reduce(tensor)
        return tensor

    def all_gather(self, tensor: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        """The vectors of all ranks; `lengths` are theirs."""
        if self.size == 1:
            return [tensor]
        longest = max(lengths)
        # Gloo gathers vectors of one length.
        padded = tensor.new_zeros(longest)
        padded[: len(tensor)] = tensor
        vectors = [torch.empty_like(padded) for _ in lengths]
        with _connection_errors():
            dist.all_gather(vectors, padded)
        return [whole[:length] for whole, length in zip(vectors, lengths, strict=True)]

    def broadcast_numbers(self, *numbers: float) -> list[float]:
        """The leader's numbers."""
        if self.size == 1:
            return [*numbers]
        buffer = torch.tensor(numbers, dtype=torch.float64)
        with _connection_errors():
            dist.broadcast(buffer, 0, group=self.cpu_group)
        return buffer.tolist()

    def broadcast_object(self, value: T) -> T:
        """The leader's value, which the others receive: anything that can be pickled; arrays are sent as they lie.

        Pickles come from the processes of this training alone.
        """
        if self.size == 1:
            return value
        with _connection_errors():
            return self._send(value) if self.is_main_process else self._receive()  # type: ignore[no-any-return]

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
        for piece in tensor.split(_BROADCAST_BYTES):
            if len(piece):
                dist.broadcast(piece, 0, group=self.cpu_group)


SINGLE_PROCESS = Ranks()
_current = SINGLE_PROCESS


def current() -> Ranks:
    """The ranks that train whatever this process trains."""
    return _current


@contextmanager
def main_process() -> Iterator[None]:
    """Be the leader while the block runs, and send the others home when it is done."""
    global _current
    _current = _init_process_group()
    try:
        yield
    except BaseException:
        # The others notice that this process ends. torchrun tells it to, which must not cut off what it has to say.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    _current.broadcast_object(None)
    dist.destroy_process_group()
    _current = SINGLE_PROCESS


def worker_loop(train_job: Callable[[Any, Ranks], None]) -> int:
    """Do `train_job` on everything the leader hands out until there is no more; returns the exit status.

    What it raises as UserError the leader meets too, and tells.
    """
    for ended in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ended, signal.SIG_DFL)  # nothing is to be tidied up here, and waiting in C is not interrupted
    try:
        ranks = _init_process_group()
        while (job := ranks.broadcast_object(None)) is not None:
            train_job(job, ranks)
        dist.destroy_process_group()
    except UserError:
        return 2
    return 0


def _init_process_group() -> Ranks:
    """Find the others by what torchrun left in the environment; on a machine with GPUs take one."""
    local_rank, local_world_size = (
        int(os.environ.get(name, other)) for name, other in (("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1))
    )
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        if local_world_size > torch.cuda.device_count():
            raise UserError(
                f"{local_world_size} processes on a machine with {torch.cuda.device_count()} GPUs: start as "
                "many as it has GPUs (--nproc-per-node gpu)"
            )
        torch.cuda.set_device(local_rank)
    with _connection_errors():
        # torchrun, when it starts all again, keeps the store in which the ended ones left their addresses.
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
            "another process of this training has ended or cannot be reached: look at what it said; the same command "
            f"goes on from the last checkpoint ({reason})"
        ) from None


def _bytes(buffer: bytearray | memoryview) -> Tensor:
    if not len(buffer):
        return torch.empty(0, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it could be written to, which nobody does
        return torch.frombuffer(buffer, dtype=torch.uint8)

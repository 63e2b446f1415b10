"""Experiment trackers: the lines of a training's log, as it writes them, in TensorBoard, Weights & Biases or Trackio.

A tracker changes nothing in the training. Its package is imported when a training starts that names it.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from distilmt.config.choices import TrackerName
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

PROJECT = "distilmt"
"""Project of the runs in Weights & Biases and Trackio."""


class Tracker(Protocol):
    """Receives the log of one training."""

    def log(self, line: Mapping[str, float]) -> None:
        """Record a line of `log.json`: the values after its `update`, by name."""

    def close(self) -> None:
        """Write what is still in memory."""


def check_tracker(key: str, name: TrackerName) -> None:
    """Check that the package of a tracker is installed.

    Args:
        key: the key of the configuration, for the message.
        name: its value.

    Raises:
        UserError: it is not installed.
    """
    if name != "none" and importlib.util.find_spec(name) is None:
        raise UserError(f"{key} is {name}, which is not installed: {install_command(name)}, or set it to none")


@contextmanager
def tracking(name: TrackerName, run_dir: Path, model_dir: Path) -> Iterator[Tracker]:
    """A tracker of one training, closed when the block ends.

    Args:
        name: the tracker; `none` records nothing.
        run_dir: the run, whose name is part of the training's name. TensorBoard's files are in its `tensorboard/`.
        model_dir: directory of the model that is trained; the training is named after it, such as `student`.

    Raises:
        UserError: the tracker cannot start.
    """
    training = model_dir.relative_to(run_dir).as_posix() if model_dir.is_relative_to(run_dir) else model_dir.name
    tracker = _TRACKERS[name](run_dir, training)
    try:
        yield tracker
    finally:
        tracker.close()


def _split(line: Mapping[str, float]) -> tuple[int, dict[str, float]]:
    """The update of a line, and its other values."""
    return int(line["update"]), {name: value for name, value in line.items() if name != "update"}


class _NoTracker:
    def __init__(self, run_dir: Path, training: str) -> None:
        pass

    def log(self, line: Mapping[str, float]) -> None:
        pass

    def close(self) -> None:
        pass


class _TensorBoard:
    def __init__(self, run_dir: Path, training: str) -> None:
        self.directory = run_dir / "tensorboard" / training
        self.writer: SummaryWriter | None = None

    def log(self, line: Mapping[str, float]) -> None:
        update, values = _split(line)
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # After an interruption updates are repeated: the records from here on replace former ones.
            self.writer = SummaryWriter(str(self.directory), purge_step=update)
        for name, value in values.items():
            self.writer.add_scalar(name, value, update)
        self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _WeightsAndBiases:
    def __init__(self, run_dir: Path, training: str) -> None:
        import wandb

        # It records numbers only: by default it also copies what the process prints.
        settings = wandb.Settings(silent=True, console="off")
        name = f"{run_dir.name}/{training}"
        try:
            self.run = wandb.init(project=PROJECT, name=name, dir=str(run_dir), settings=settings)
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise UserError(f"wandb: {reason}: run `wandb login`, or set the variable WANDB_MODE to offline") from None

    def log(self, line: Mapping[str, float]) -> None:
        update, values = _split(line)
        self.run.log(values, step=update)

    def close(self) -> None:
        self.run.finish()


class _Trackio:
    def __init__(self, run_dir: Path, training: str) -> None:
        import trackio

        with _quiet():
            self.run = trackio.init(project=PROJECT, name=f"{run_dir.name}/{training}", embed=False)

    def log(self, line: Mapping[str, float]) -> None:
        update, values = _split(line)
        self.run.log(values, step=update)

    def close(self) -> None:
        import trackio

        with _quiet():
            trackio.finish()  # it forgets the run, too: `run.finish()` alone is repeated when the process ends


def _quiet() -> AbstractContextManager[object]:
    """Drop what a tracker prints: standard output has the results of distilmt alone."""
    return redirect_stdout(io.StringIO())


_TRACKERS: dict[TrackerName, Callable[[Path, str], Tracker]] = {
    "none": _NoTracker,
    "tensorboard": _TensorBoard,
    "wandb": _WeightsAndBiases,
    "trackio": _Trackio,
}

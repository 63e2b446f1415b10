"""Smallest and biggest values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from distilmt.errors import UserError
from distilmt.machine import cores

# Smallest and biggest values of keys, wherever they stand: with others, work would fail late or never end.
_LIMITS = (
    dict.fromkeys(
        (
            "alternatives_limit",
            "attention",
            "consistency",
            "health_cases",
            "hypotheses",
            "label",
            "learning_rate",
            "max_drop",
            "max_ter",
            "patience",
            "qat_updates",
            "ranking",
            "req_limit",
            "sampling",
            "states",
            "threads",
            "top_k",
            "vocabulary",
            "warmup",
            "word",
            "worker_gpus",
            "workers",
        ),
        (0.0, math.inf),
    )
    | dict.fromkeys(
        ("batch_limit", "batch_tokens", "beam_size", "bootstrap", "char_limit", "connections", "keep", "max_sentences"),
        (1.0, math.inf),
    )
    | dict.fromkeys(
        ("max_train", "n_best", "queue", "sentences"),
        (1.0, math.inf),
    )
    | dict.fromkeys(("shard_size", "speed_sentences", "test_size", "updates", "valid_size"), (1.0, math.inf))
    | dict.fromkeys(("validate_every", "validate_sentences", "vocab_size", "worker_cores"), (1.0, math.inf))
    | dict.fromkeys(("average_decay", "dropout", "label_smoothing"), (0.0, 0.9999))
    | {
        "reference_share": (0.0, 1.0),
        "reverse_keep": (0.0, 1.0),
        "temperature": (0.01, math.inf),
        "max_positions": (2.0, math.inf),
        "student.on_policy.updates": (0.0, math.inf),
        "recovery_updates": (1.0, math.inf),
        "first": (0.0, math.inf),
        "parts": (0.0, math.inf),
        "recovery_rate": (1e-6, 10.0),
        "rounds": (0.0, math.inf),
        "port": (0.0, 65535.0),
        "window_ms": (0.0, 1000.0),
        "timeout": (0.1, 3600.0),
        "cascade": (-math.inf, 0.0),
        "student.on_policy.rounds": (1.0, math.inf),
    }
)


def check_limits(config: Any, prefix: str = "") -> None:
    """See that no value of a dataclass is too small or too big.

    Raises:
        UserError: one is.
    """
    for field in dataclasses.fields(config):
        name, value = f"{prefix}{field.name}", getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check_limits(value, f"{name}.")
        low, high = _LIMITS.get(name, _LIMITS.get(field.name, (-math.inf, math.inf)))
        if isinstance(value, int | float) and not low <= value <= high:
            raise UserError(f"{name} is {value}: it must be {low:g} at least" + (f", {high:g} at most" * (high < 1e9)))
        if name in ("export.teacher", "export.student") and not value:
            raise UserError(f"{name} is empty: name at least one type, such as int8")


def check_jobs(jobs: int) -> None:
    """See that there is a core at least for each of so many trainings at once.

    Raises:
        UserError: there is not.
    """
    if not 1 <= jobs <= cores():
        raise UserError(f"--jobs {jobs}: this machine lends {cores()} cores, so take 1 to {cores()}")

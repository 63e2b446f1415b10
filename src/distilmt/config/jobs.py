"""Trainings at once."""

from __future__ import annotations

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores


def check_jobs(jobs: int) -> None:
    """See that there is a core at least for each of so many trainings at once.

    Raises:
        UserError: there is not.
    """
    count = cores()
    if not 1 <= jobs <= count:
        machine = f"this machine has {count} core{'s' * (count > 1)}"
        raise UserError(f"jobs is {jobs}: it must be 1 at least and {count} at most, as {machine}")

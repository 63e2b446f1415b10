"""Number of parallel trainings."""

from __future__ import annotations

from distilmt.utils.errors import UserError
from distilmt.utils.hardware import cores


def check_jobs(jobs: int) -> None:
    """Check that there is at least one core for each parallel training.

    Raises:
        UserError: there are fewer cores.
    """
    count = cores()
    if not 1 <= jobs <= count:
        machine = f"this machine has {count} core{'s' * (count > 1)}"
        raise UserError(f"jobs is {jobs}: it must be at least 1 and at most {count}, as {machine}")

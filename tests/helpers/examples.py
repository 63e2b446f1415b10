"""How many examples a property is tried with."""

from __future__ import annotations

import os


def example_count(count: int) -> int:
    """All in `make test-all`, which tries new ones each time; a third in `make test`, whose examples never change."""
    return count if os.environ.get("HYPOTHESIS_PROFILE") == "random" else count // 3

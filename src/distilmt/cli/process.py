"""Settings of the whole process, which only the command line makes: a library leaves them to its host program."""

from __future__ import annotations

import os
import sys

_ENVIRONMENT = {
    # PyTorch's switch for big tensors in huge pages, read when it creates its first one: training is faster with it.
    "THP_MEM_ALLOC_ENABLE": "1",
    # The terminal has one display of progress; bars and hints of these libraries would break it up.
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
"""Defaults; what the user sets wins. Worker processes inherit them."""


def prepare() -> None:
    """Make the settings, before torch and transformers are imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "transformers" in sys.modules:  # it reads its variables only once: a program has called the command line
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()

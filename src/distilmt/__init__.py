"""distilmt: distil a big translation model into a small fast one, and measure what was lost."""

import os

__version__ = "0.1.0"

# PyTorch's switch for big tensors in huge pages, read when it makes its first one: training is faster with it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

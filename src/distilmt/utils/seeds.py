"""Streams of random numbers that a run derives from its seed.

A generator is seeded with the run's seed and the number of a stream, so that one stream does not repeat the numbers of
another. The numbers are those of every run so far: with another number, labels would not be reused and a resumed
training would take other batches.
"""

from __future__ import annotations

from enum import IntEnum


class SeedStream(IntEnum):
    """Number of a stream, the last part of a generator's seed."""

    TARGET = 1
    """(seed, epoch): which sentences of an epoch use the reference as target instead of a hypothesis."""
    BATCH_ORDER = 2
    """(seed, epoch): the order of an epoch's sentences before they are put into batches."""
    LABELED_SENTENCES = 3
    """(seed): which training sentences are labeled. A plan, the references of monolingual text and the labels of the
    run take the same sentences, so that labels are made once."""
    ON_POLICY_SENTENCES = 5
    """(seed, round): which sentences the student translates in a round of the on-policy phase."""
    RENDERING = 6
    """(seed, epoch, number of the text's id): font, size and degradation of a picture of text."""
    SPEECH = 7
    """(seed, epoch, number of the text's id): voice, speed, pitch, level and noise of a recording of text."""
    AUGMENTATION = 8
    """(seed, epoch): which source sentences of an epoch are disturbed, and how."""
    ADDITIONAL_SENTENCES = 9
    """(seed): which sentences are added to the training text, and what is copied in them."""
    REQUEST_EXAMPLES = 20
    """(seed): which training pairs are examples in the requests to a language model."""

"""Training data of student and baseline as `student.augmentation` asks for."""

from __future__ import annotations

from collections.abc import Callable

from distilmt.config import RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.training.additional_sentences import with_additional_sentences
from distilmt.training.augmentation import SourceAugmentation
from distilmt.training.batching import TrainingSet


def augmented(
    config: RunConfig, data: TrainingSet, sources: Callable[[], list[str]], tokenizer: Tokenizer
) -> tuple[TrainingSet, SourceAugmentation | None]:
    """A training set with the additional sentences, and how its sources are disturbed; unchanged by default.

    Args:
        config: the run.
        data: the set.
        sources: returns the texts of its sources; called only if they are needed.
        tokenizer: its vocabularies.
    """
    augmentation = config.student.augmentation
    if not augmentation.nonzero_keys:
        return data, None
    texts = sources()
    if augmentation.adds:
        data, texts, copies = with_additional_sentences(data, texts, tokenizer, augmentation, config.seed)
        # What the target copies must be the same in the source.
        texts = texts[: len(texts) - copies]
    if not augmentation.disturbs:
        return data, None
    return data, SourceAugmentation(texts, tokenizer.source, config.corpus.source, augmentation)

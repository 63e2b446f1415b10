"""Pictures or recordings of a run's text: what its student is trained and validated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distilmt.config import RunConfig
from distilmt.data import prepare
from distilmt.data.tokenizer import Tokenizer
from distilmt.evaluation.quality import score
from distilmt.labels.store import LabelStore
from distilmt.models.base import Seq2SeqModel
from distilmt.models.device import pick_device, use_threads
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.models.whisper import WhisperModel
from distilmt.models.whisper_search import greedy_search
from distilmt.rendering.renderers import training_renderer
from distilmt.rendering.rendering_cache import RenderingCache
from distilmt.rendering.text_renderer import present
from distilmt.training.frame_sources import FrameSources, frame_sources
from distilmt.training.trainer import Validate
from distilmt.utils.run_paths import RunPaths


def training_frames(config: RunConfig, paths: RunPaths, ids: Sequence[str]) -> FrameSources | None:
    """Pictures or recordings of training sentences by their ids; None if the student reads text.

    Student and baseline perceive the same ones: those of all labeled sentences.
    """
    frames = config.frames
    if frames is None:
        return None
    store, renderer = LabelStore(paths.labels), training_renderer(frames, config.seed)
    root = paths.renderings(config.student.input)
    return frame_sources(RenderingCache(renderer, store.ids(), store.column("source"), root), ids)


def frame_validator(config: RunConfig, tokenizer: Tokenizer, sentences: int) -> Validate:
    """Scores a model of pictures or speech by greedy decoding with PyTorch.

    It reads the first validation sentences in the fonts, or hears them by the voices, for training. A sentence that
    cannot be rendered has an empty translation.

    Args:
        config: the run.
        tokenizer: that of the model.
        sentences: maximum number of sentences.
    """
    table = prepare.load_split(config.paths.corpus, "valid").slice(0, sentences)
    references = table["target"].to_pylist()
    sources = _validation_frames(config, table["id"].to_pylist(), table["source"].to_pylist())

    def validate(model: Seq2SeqModel) -> dict[str, float]:
        assert isinstance(model, WhisperModel)
        use_threads(config.student.training.threads)
        longest = FRAMES_PER_POSITION * model.dimensions.max_positions
        usable = {number: frames for number, frames in sources.items() if len(frames) <= longest}
        ids = greedy_search(model.to(pick_device()), list(usable.values()))
        translations = [""] * len(references)
        for number, translation in zip(usable, tokenizer.target.decode(ids), strict=True):
            translations[number] = translation
        scores = score(translations, references, config.corpus.target)
        length = sum(map(len, translations)) / max(1, sum(map(len, references)))
        return {"bleu": scores.bleu, "chrf": scores.chrf, "length": round(length, 3)}

    return validate


def _validation_frames(config: RunConfig, ids: list[str], texts: list[str]) -> dict[int, np.ndarray]:
    """Frames of each sentence that can be rendered, by its number: [frames, frame size] float32."""
    assert config.frames is not None
    renderer = training_renderer(config.frames, config.seed)
    sources = present(renderer.sources(texts, ids))
    return {
        number: renderer.frames(renderer.rows(source)) for number, source in enumerate(sources) if source is not None
    }

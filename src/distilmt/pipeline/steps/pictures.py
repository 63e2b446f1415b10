"""Pictures of a run's text: what its student is trained and validated on."""

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
from distilmt.rendering.frames import frames_of
from distilmt.rendering.picture_cache import PictureCache
from distilmt.rendering.renderer import Renderer
from distilmt.training.picture_sources import PictureSources, picture_sources
from distilmt.training.trainer import Validate
from distilmt.utils.run_paths import RunPaths


def training_pictures(config: RunConfig, paths: RunPaths, ids: Sequence[str]) -> PictureSources | None:
    """Pictures of training sentences by their ids; None if the student reads text.

    Student and baseline read the same ones: those of all labeled sentences.
    """
    if config.student.input == "text":
        return None
    store = LabelStore(paths.labels)
    renderer = Renderer.for_training(config.student.rendering, config.seed)
    return picture_sources(PictureCache(renderer, store.ids(), store.column("source"), paths.pictures), ids)


def picture_validator(config: RunConfig, tokenizer: Tokenizer, sentences: int) -> Validate:
    """Scores a model of pictures by greedy decoding with PyTorch.

    The pictures are those of the first validation sentences in the fonts for training; a sentence without a picture has
    an empty translation.

    Args:
        config: the run.
        tokenizer: that of the model.
        sentences: maximum number of sentences.
    """
    table = prepare.load_split(config.paths.corpus, "valid").slice(0, sentences)
    references = table["target"].to_pylist()
    pictures = _validation_pictures(config, table["id"].to_pylist(), table["source"].to_pylist())

    def validate(model: Seq2SeqModel) -> dict[str, float]:
        assert isinstance(model, WhisperModel)
        use_threads(config.student.training.threads)
        longest = FRAMES_PER_POSITION * model.dimensions.max_positions
        readable = {number: frames for number, frames in pictures.items() if len(frames) <= longest}
        ids = greedy_search(model.to(pick_device()), list(readable.values()))
        translations = [""] * len(references)
        for number, translation in zip(readable, tokenizer.target.decode(ids), strict=True):
            translations[number] = translation
        scores = score(translations, references, config.corpus.target)
        length = sum(map(len, translations)) / max(1, sum(map(len, references)))
        return {"bleu": scores.bleu, "chrf": scores.chrf, "length": round(length, 3)}

    return validate


def _validation_pictures(config: RunConfig, ids: list[str], texts: list[str]) -> dict[int, np.ndarray]:
    """Frames of each sentence that has a picture, by its number: [frames, frame size] float32."""
    renderer = Renderer.for_training(config.student.rendering, config.seed)
    rendered = [renderer.picture_of(text, text_id) for text, text_id in zip(texts, ids, strict=True)]
    columns = config.student.rendering.columns_per_frame
    return {number: frames_of(picture, columns) for number, picture in enumerate(rendered) if picture is not None}

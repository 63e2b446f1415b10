"""A student that reads pictures as a web page: a directory as that of `web`, whose page takes pictures.

index.html, app.js, worker.js, shared/, offline/             the page
reading.js, page.js, lines.js, joining.js, scaling.js        a picture to pictures of lines, by rows without ink
frames.js                                                    a picture of a line to frames
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distilmt.config import ExportConfig, RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import NotRun, TrainedModel
from distilmt.export.card import ModelCard
from distilmt.export.ctranslate2_pictures import picture_model, widest_picture
from distilmt.export.onnx_pictures import export_onnx_pictures
from distilmt.export.web import check_installed, model_facts, packed, write_page
from distilmt.models.whisper import WhisperModel


@dataclass(frozen=True)
class PictureWebExporter:
    """A web page that reads pictures in the browser."""

    rendering: RenderingConfig
    """The pictures of lines that the student reads."""
    suffix: str = "-web"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        check_installed(config.export.node_modules)

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        check_installed(config.node_modules)
        student = _student(picture_model(trained.model), trained.tokenizer, trained.card, self.rendering)
        write_page("pictures", student, path, trained.card, config.node_modules)

    def translate(self, path: Path, texts: Sequence[str]) -> NotRun:
        """Not here: it needs a browser."""
        return NotRun("it runs in a browser")


def _student(model: WhisperModel, tokenizer: Tokenizer, card: ModelCard, rendering: RenderingConfig) -> bytes:
    facts = {
        **model_facts(model.network.config, model.dimensions.max_positions, card),
        "height": rendering.height,
        "columns_per_frame": rendering.columns_per_frame,
        "max_columns": widest_picture(model, rendering),
    }
    with tempfile.TemporaryDirectory(prefix="distilmt-web-") as temporary:
        directory = Path(temporary) / "onnx"
        export_onnx_pictures(model, tokenizer, directory, card, rendering)
        return packed(directory, {"tokenizer": directory / "tokenizer.json"}, facts)

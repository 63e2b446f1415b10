"""How well the encoder of a student reads: character errors of its CTC projection on pictures of the test set.

    python benchmarks/reading.py RUN [--pictures 200] [--max_chars 120]

RUN is the directory of a run with `student.input: image` and `objective.ctc_weight` above 0. The likeliest character of
every output is taken, without a language model. Pictures are those of the training fonts and of the held-out ones,
clean and degraded.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import ocr
import torch
from turns import write

from distilmt.config import RunConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.data import prepare
from distilmt.losses.ctc import BLANK
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import make_frame_batch
from distilmt.models.checkpoint import load_model
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.rendering.renderer import Renderer
from distilmt.rendering.text_renderer import present
from distilmt.training.ctc_head import CtcHead, read_ctc_head

CONDITIONS = [("training", "clean"), ("training", "degraded"), ("held-out", "clean"), ("held-out", "degraded")]
"""Fonts, and what was done to the pictures."""


@dataclass
class Reader:
    """An encoder with its projection to characters."""

    model: Seq2SeqModel
    head: CtcHead

    @torch.inference_mode()
    def text(self, frames: np.ndarray) -> str:
        """What it reads in a picture, [frames, frame size] float32."""
        weight, bias = self.head.parameters["ctc.weight"], self.head.parameters["ctc.bias"]
        batch = make_frame_batch([frames], np.array([0]), np.array([1]), self.model.special_ids.start)
        states = self.model.encode(batch)[: len(batch.source.ids)].reshape(-1, weight.shape[1])
        classes = (states @ weight.T + bias).argmax(-1).tolist()
        return "".join(self.head.alphabet[each - 1] for each, _ in groupby(classes) if each != BLANK)


def reader_of(run: Path, config: RunConfig) -> Reader:
    model = load_model(run / "student")
    assert config.frames is not None
    head = read_ctc_head(run / "student", model.dimensions.d_model // config.frames.outputs_per_position)
    if head is None:
        raise SystemExit(f"{run} has no projection of CTC: train with objective.ctc_weight above 0")
    return Reader(model, head)


def error_rate(reader: Reader, renderer: Renderer, ids: Sequence[str], texts: Sequence[str], count: int) -> str:
    """Character errors in percent, and the number of pictures."""
    longest, readings, transcripts = FRAMES_PER_POSITION * reader.model.dimensions.max_positions, [], []
    sources = present(renderer.sources(list(texts), list(ids)))
    for source, text in zip(sources, texts, strict=True):
        if source is None or len(frames := renderer.frames(renderer.rows(source))) > longest:
            continue
        readings.append(reader.text(frames))
        transcripts.append(renderer.transcript(text))
        if len(readings) == count:
            break
    return f"{ocr.character_errors(readings, transcripts):.1f} ({len(readings)})"


def main(options: argparse.Namespace) -> None:
    config = load_run_dir(options.run, {})
    reader, table = reader_of(options.run, config), prepare.load_split(config.paths.corpus, "test")
    rows = [row for row in table.to_pylist() if len(row["source"]) <= options.max_chars][: 2 * options.pictures]
    ids, texts = [row["id"] for row in rows], [row["source"] for row in rows]
    lines = ["| fonts, pictures | character errors, % (pictures) |", "|---|---:|"]
    for fonts, degradation in CONDITIONS:
        rendering = replace(config.student.rendering, clean_fraction=float(degradation == "clean"))
        create = Renderer.for_measuring if fonts == "held-out" else Renderer.for_training
        rate = error_rate(reader, create(rendering, config.seed), ids, texts, options.pictures)
        lines.append(f"| {fonts}, {degradation} | {rate} |")
    command = f"python benchmarks/reading.py {options.run.name} --pictures {options.pictures}"
    write(options.name, command, ["\n".join(lines), options.note], {"rows": lines[2:]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=int, default=200, help="under each condition")
    parser.add_argument("--max_chars", type=int, default=120, help="longest text")
    parser.add_argument("--name", default="reading", help="of the files in results/")
    parser.add_argument("--note", default="", help="a sentence for the results file")
    main(parser.parse_args())

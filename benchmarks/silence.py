"""What is taken for speech in recordings without any: silence, noise and music made in code.

    python benchmarks/silence.py [--minutes 10]

Every sound goes through the same segmentation as in `distilmt translate`, in blocks. Only segments are translated, so a
sound without segments gives no text, whatever the student.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from turns import write

from distilmt.audio.features import SAMPLE_RATE
from distilmt.audio.segments import speech_segments
from distilmt.recordings.translate import BLOCK_SECONDS

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers.noises import NOISES

HEADS = ("sound", "minutes", "segments", "seconds of segments", "seconds to read")


def measured(name: str, create: Callable[[float], np.ndarray], minutes: float) -> tuple[str, float, int, float, float]:
    samples = create(60 * minutes)
    begin = time.monotonic()
    segments = [each.end - each.start for each in speech_segments(blocks(samples))]
    return name, len(samples) / SAMPLE_RATE / 60, len(segments), sum(segments), time.monotonic() - begin


def blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    size = int(BLOCK_SECONDS * SAMPLE_RATE)
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def main(minutes: float) -> None:
    rows = [measured(name, create, minutes) for name, create in NOISES.items()]
    lines = [f"| {' | '.join(HEADS)} |", "|---|" + "---:|" * (len(HEADS) - 1)]
    lines += [f"| {row[0]} | {row[1]:g} | {row[2]} | {row[3]:.1f} | {row[4]:.1f} |" for row in rows]
    data = {"rows": [dict(zip(HEADS, row, strict=True)) for row in rows]}
    write("silence", f"python benchmarks/silence.py --minutes {minutes:g}", ["\n".join(lines)], data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    main(parser.parse_args().minutes)

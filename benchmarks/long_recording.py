"""Memory and times of `distilmt translate` on a short and on a long recording.

    python benchmarks/long_recording.py MODEL [--minutes 5 60]

Each recording has sentences of three voices of espeak-ng between pauses of one to three seconds, so that it is known
when each is spoken. It is translated to subtitles by a new process on one thread; memory is the maximum that the kernel
reports for it. The offset of a sentence is the time between its start and that of its first cue; the drift is by how
much the mean offset of the last tenth of the sentences differs from that of the first tenth.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from turns import write

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from helpers.long_recordings import drift_of, write_talk

HEADS = (
    *("minutes", "sentences", "without subtitle", "largest offset, s", "drift, s"),
    *("peak RSS, MB", "real-time factor"),
)


def measured(model: Path, minutes: float, directory: Path) -> dict[str, float]:
    recording, subtitles = directory / f"{minutes:g}.wav", directory / f"{minutes:g}.srt"
    sentences = write_talk(recording, 60 * minutes)
    command = [sys.executable, "-m", "distilmt", "translate", str(model), str(recording), "--threads", "1"]
    begin = time.monotonic()
    process = os.posix_spawn(sys.executable, [*command, "--quiet", "--output", str(subtitles)], os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"distilmt translate failed with status {status}")
    drift = drift_of(subtitles.read_text(encoding="utf-8"), sentences)
    values = (drift.sentences, drift.without_subtitle, drift.largest, drift.growth)
    peak = usage.ru_maxrss * 1024 / 1e6
    return dict(zip(HEADS, (minutes, *values, peak, seconds / (60 * minutes)), strict=True))


def main(model: Path, lengths: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(model, minutes, Path(folder)) for minutes in lengths]
    lines = [f"| {' | '.join(HEADS)} |", "|" + "---:|" * len(HEADS)]
    lines += [f"| {' | '.join(f'{value:.6g}' for value in row.values())} |" for row in rows]
    command = f"python benchmarks/long_recording.py MODEL --minutes {' '.join(f'{each:g}' for each in lengths)}"
    write("long-recording", command, ["\n".join(lines)], {"rows": rows})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run or export of a student that reads speech")
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 60])
    given = parser.parse_args()
    main(given.model, given.minutes)

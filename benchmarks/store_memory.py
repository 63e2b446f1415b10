"""Peak memory of labeling and of the operations on label stores, by number of sentences.

    python benchmarks/store_memory.py [--few 100000] [--many 1000000] [--times 10]

A teacher of one layer each (random weights) translates greedily, without top-k log-probabilities. The larger store,
merged with itself `--times` times (`labels merge --prefix_ids true`), is then checked, described and split.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from ray_kill import prepare
from turns import write

WORK = Path("runs") / "benchmarks" / "store-memory"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--label", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.label:
        drive(Path(given.label))
        return
    result: dict[str, dict[str, float]] = {}
    for name, count in (("few", given.few), ("many", given.many)):
        if not (WORK / name / "ray" / "corpus" / "train.parquet").exists():
            prepare(WORK / name, count)
        result[f"label, {count:,}"] = measured([__file__, "--label", str(WORK / name / "ray")])
    few, many = (WORK / name / "ray" / "labels" for name in ("few", "many"))
    big, count = WORK / "big", given.many * given.times
    merge = ["-m", "distilmt", "labels", "merge", "--quiet"]
    result[f"labels merge, {count:,}"] = measured(
        [*merge, str(big), *[str(many)] * given.times, "--prefix_ids", "true"]
    )
    for store, rows in ((few, given.few), (big, count)):
        for action in ("check", "info", "split"):
            out = [str(WORK / f"parts-{rows}")] if action == "split" else []
            result[f"labels {action}, {rows:,}"] = measured(["-m", "distilmt", "labels", action, str(store), *out])
    lines = ["| | peak RSS, MB | seconds |", "|---|---:|---:|"]
    lines += [f"| {name} | {f['peak_rss_bytes'] / 1e6:,.0f} | {f['seconds']:,.0f} |" for name, f in result.items()]
    size = sum(path.stat().st_size for path in big.glob("*.parquet"))
    note = (
        f"1+1 layers, d=64, greedy, top_k 0, shards of 4,000; the biggest store has {size / 1e6:,.0f} MB. Machine busy."
    )
    write(
        "store-memory",
        f"python benchmarks/store_memory.py {' '.join(sys.argv[1:])}".strip(),
        [note, "\n".join(lines)],
        result,
    )


def drive(root: Path) -> None:
    """The labels step."""
    from distilmt.config import CorpusConfig, LabelConfig, RunConfig
    from distilmt.pipeline.steps.train import write_labels

    labels = LabelConfig(beam_size=1, top_k=0)
    write_labels(RunConfig(run_dir=str(root), corpus=CorpusConfig("en", "de"), labels=labels), root / "labels")


def measured(arguments: list[str]) -> dict[str, float]:
    """Peak memory and time of a Python process."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(arguments)} failed")
    result = {"peak_rss_bytes": usage.ru_maxrss * 1024, "seconds": time.monotonic() - begin}
    print(" ".join(arguments)[:100], result, file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    main()

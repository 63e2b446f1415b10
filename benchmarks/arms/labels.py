"""The labels step of a run directory, `options.run_dir`, both kinds of labels; its peak memory and its speed."""

from __future__ import annotations

import json
import resource
import shutil
import time
from pathlib import Path

from common import Spec, given

from distilmt.config import CorpusConfig, LabelConfig, RunConfig
from distilmt.pipeline.steps.train import write_labels


def main(spec: Spec) -> None:
    root = Path(spec.options["run_dir"])
    shutil.rmtree(root / "labels", ignore_errors=True)
    labels = LabelConfig(beam_size=2, top_k=8, score_on="hypothesis")
    begin = time.perf_counter()
    done = write_labels(RunConfig(run_dir=str(root), corpus=CorpusConfig("en", "de"), labels=labels), root / "labels")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rate = done["sentences"] / (time.perf_counter() - begin)
    shutil.rmtree(root / "labels")
    print(json.dumps({"sentences_per_second": rate, "peak_rss_bytes": peak}))


if __name__ == "__main__":
    main(given())

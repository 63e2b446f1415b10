"""Size, speed and quality of small students: the students of a comparison, as deployed.

    distilmt compare benchmarks/curve.yaml --jobs 2
    python benchmarks/curve.py runs/curve

Every student is exported in int8 with the rest in float16 and scored with beam sizes 4 and 1, on the validation
sentences (which selected its checkpoint) and on the test sentences, with a paired bootstrap against the teacher in
float32 at the run's beam size. Students of the first seed are timed in turn with the teacher, sentence by sentence on
one thread. No model is selected.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turns import write

from distilmt.compression.search import Variant
from distilmt.config import RunConfig
from distilmt.config.loading import load_comparison
from distilmt.data import prepare
from distilmt.evaluation import quality, speed
from distilmt.recipes.compress_steps import export_variant, score_export
from distilmt.utils.sizes import total_bytes

CONFIG = Path(__file__).with_name("curve.yaml")
TYPE, BEAMS = "int8_float16", (4, 1)


@dataclass
class System:
    """A deployed model, with one or more seeds."""

    name: str
    exports: list[Path]
    beam_size: int

    @property
    def label(self) -> str:
        return f"{self.name}, beam {self.beam_size}"


def systems(run: RunConfig, work: Path) -> list[System]:
    """The teacher, and every method's students with every beam size."""
    root = Path(run.run_dir)
    result = [
        System("teacher", [exported(run, root / "teacher", "float32", work / "teacher")], run.evaluation.beam_size)
    ]
    for method in sorted((root / "methods").iterdir()):
        seeds = sorted(seed for seed in method.iterdir() if (seed / "student" / "model.safetensors").exists())
        paths = [exported(run, seed / "student", TYPE, work / method.name / seed.name) for seed in seeds]
        result += [System(method.name, paths, beam) for beam in BEAMS if paths]
    return result


def exported(run: RunConfig, model: Path, compute_type: Any, place: Path) -> Path:
    path = place / "model"
    if not (path / "model.bin").exists():
        path.mkdir(parents=True, exist_ok=True)
        export_variant(run, model, Variant(model.name, compute_type), path)
    return path


def measured(run: RunConfig, system: System, teacher: System) -> dict[str, Any]:
    """Scores on both sets by seed, and differences from the teacher on the test set."""
    result: dict[str, Any] = {"bytes": total_bytes(system.exports[0]), "seeds": []}
    references = prepare.load_split(Path(run.run_dir) / "corpus", "test")["target"].to_pylist()
    output = score_export(run, teacher.exports[0], "test", teacher.beam_size)["translations"]
    for path in system.exports:
        valid, test = (score_export(run, path, part, system.beam_size) for part in ("valid", "test"))
        row = {"validation": valid["scores"]["bleu"], "bleu": test["scores"]["bleu"], "chrf": test["scores"]["chrf"]}
        if system is not teacher:
            texts = ("system", test["translations"]), ("teacher", output)
            against = quality.paired_bootstrap(
                *texts, references, run.corpus.target, run.evaluation.bootstrap_samples, run.seed
            )
            row["p"] = next(float(pair["p_value"]) for pair in against if pair["metric"] == "bleu")
        result["seeds"].append(row)
        print(system.label, row, file=sys.stderr, flush=True)
    return result


def table(result: dict[str, dict[str, Any]]) -> str:
    heads = ["system", "kB", "smaller", "validation BLEU", "BLEU", "chrF", "against the teacher (p by seed)"]
    heads += ["ms", "faster", "ready in ms", "MB of memory"]
    base = next(iter(result.values()))
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, row in result.items():
        means = {key: _mean(row["seeds"], key) for key in ("validation", "bleu", "chrf")}
        chances = ", ".join(f"{seed['p']:.3f}" for seed in row["seeds"] if "p" in seed)
        difference = f"{means['bleu'] - _mean(base['seeds'], 'bleu'):+.2f} ({chances})" if chances else ""
        cells = [f"{row['bytes'] / 1e3:,.0f}", f"{base['bytes'] / row['bytes']:.1f}"]
        cells += [*(f"{value:.2f}" for value in means.values()), difference]
        latency = row["speed"].latency_ms["p50"]
        cells += [f"{latency:.2f}", f"{base['speed'].latency_ms['p50'] / latency:.1f}"]
        cells += [f"{row['speed'].load_seconds * 1e3:.0f}", f"{row['speed'].peak_rss_bytes / 1e6:.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(seeds: list[dict[str, float]], key: str) -> float:
    return statistics.mean(seed[key] for seed in seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", help="of a finished `distilmt compare`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=200, help="timed in every round")
    given = parser.parse_args()
    run = load_comparison([str(CONFIG), "--run_dir", given.run_dir]).run
    every = systems(run, Path("runs") / "benchmarks" / "curve")
    result = {system.label: measured(run, system, every[0]) for system in every}
    test = prepare.load_split(Path(run.run_dir) / "corpus", "test")["source"].to_pylist()[: given.sentences]
    paths, beams = {s.label: s.exports[0] for s in every}, {s.label: s.beam_size for s in every}
    for name, timed in speed.measure_interleaved(paths, speed.SpeedInputs(test), beams, rounds=given.rounds).items():
        result[name]["speed"] = timed
    text = table(result)
    data = {name: row | {"speed": vars(row["speed"])} for name, row in result.items()}
    command = f"python benchmarks/curve.py {' '.join(sys.argv[1:])}"
    write("curve", command, [text], data)


if __name__ == "__main__":
    main()

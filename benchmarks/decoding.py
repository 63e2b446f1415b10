"""One student decoded by CTranslate2, as we export it, and by Marian (pymarian): same weights, sentences and thread.

    python benchmarks/decoding.py RUN_DIR [--sentences 500] [--rounds 5]

RUN_DIR has a trained student and its corpus. Every arm is a new process and has its turn in every round. `ready` is the
time from the import of the library to the first translation. Token counts are target tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from turns import HERE, Results, environment, table, write

from distilmt.config import ComputeType
from distilmt.data import prepare, tokenizer
from distilmt.export.card import ModelCard
from distilmt.export.ctranslate2 import export
from distilmt.export.marian import export_marian
from distilmt.models.marian_checkpoint import load_marian

TYPES: tuple[ComputeType, ...] = ("int8", "float32")
BEAMS = (1, 4)
KEYS = {
    "tokens/s alone": ("batch_1", 1, 0),
    "tokens/s in batches of 32": ("batch_32", 1, 0),
    "ready, ms": ("ready_seconds", 1000, 0),
}


def exported(root: Path, place: Path) -> dict[str, Path]:
    """The student in our types and in Marian's; directories by name."""
    model, pieces = load_marian(root / "student"), tokenizer.load(root / "tokenizer")
    for compute_type in TYPES:
        export(model, pieces, place / compute_type, compute_type)
    export_marian(model, pieces, place / "marian", ModelCard("", ""))
    ours = {f"CTranslate2, {compute_type}": place / compute_type for compute_type in TYPES}
    return ours | {"Marian, float32": place / "marian"}


def turn(path: Path, beam: int, file: Path) -> dict[str, float]:
    """One turn of an arm."""
    system = "marian" if path.name == "marian" else "ours"
    command = [environment(), HERE / "arms" / "decode.py", system, path, str(beam), file]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    if done.returncode:
        sys.exit(f"{path.name} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().split("\n")[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    test = prepare.load_split(given.run_dir / "corpus", "test")["source"].to_pylist()[: given.sentences]
    parts, data = [], dict[str, Any]()
    with tempfile.TemporaryDirectory() as directory:
        paths, file = exported(given.run_dir, Path(directory)), Path(directory) / "sentences.txt"
        file.write_text("\n".join(test) + "\n", encoding="utf-8")
        for beam in BEAMS:
            result: Results = {name: [] for name in paths}
            for number in range(given.rounds):
                for name in list(paths) if number % 2 == 0 else list(paths)[::-1]:
                    result[name].append(turn(paths[name], beam, file))
            base = next(iter(paths))
            parts += [f"Beam {beam}; the ratio is of tokens/s alone", table(result, KEYS, base, "batch_1")]
            data[f"beam {beam}"] = result
    write("decoding", f"python benchmarks/decoding.py {' '.join(sys.argv[1:])}", parts, data)


if __name__ == "__main__":
    main()

"""Coverage-guided fuzzing of the corpus readers: any bytes must give pairs or one clear error, in time.

    pip install atheris
    python benchmarks/fuzz_readers.py --readers po tmx tsv xlf --seconds 600 [--jobs 2]

Every reader is fuzzed by a separate process; distilmt and polib are instrumented so that libFuzzer measures coverage. A
crash or a hang (10 s) is written to --keep, and fuzzing continues. An input has at most 4 KiB.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
TIMEOUT_SECONDS, MAX_BYTES = 10, 4096
FINDS = ("crash", "timeout", "oom")


def main(readers: list[str], seconds: int, jobs: int, keep: Path, command: str) -> None:
    from turns import write

    with ThreadPoolExecutor(jobs) as pool:
        result = dict(zip(readers, pool.map(lambda reader: _fuzz(reader, seconds, keep), readers), strict=True))
    lines = [
        "| reader | executions | seconds | edges reached | crashes | hangs | out of memory |",
        "|---|" + "---:|" * 6,
    ]
    for reader, each in result.items():
        cells = [each[key] for key in ("executions", "seconds", "edges", *FINDS)]
        lines.append(f"| {reader} | {' | '.join(f'{cell:,.0f}' for cell in cells)} |")
    write("fuzz-readers", command, ["\n".join(lines)], result)
    if any(each[kind] for each in result.values() for kind in FINDS):
        sys.exit(f"inputs that failed are in {keep}")


def _fuzz(reader: str, seconds: int, keep: Path) -> dict[str, float]:
    """Fuzz one reader until the time limit; restart after every finding."""
    result: dict[str, float] = dict.fromkeys(("executions", "seconds", "edges", *FINDS), 0)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(_seeds(reader)):
            (corpus / f"seed-{number}").write_bytes(seed)
        while (left := seconds - (time.monotonic() - begin)) > 1:
            done = _run(reader, int(left), corpus, keep)
            for pattern, key in ((r"stat::number_of_executed_units: *(\d+)", "executions"), (r"cov: (\d+)", "edges")):
                numbers = [int(number) for number in re.findall(pattern, done)]
                result[key] = result[key] + sum(numbers) if key == "executions" else max([result[key], *numbers])
            finds = [kind for kind in FINDS if f"{keep}/{reader}-{kind}-" in done]
            for kind in finds:
                result[kind] += 1
            if not finds and not re.search(r"Done \d+ runs", done):
                sys.exit(f"{reader} could not be fuzzed:\n{done[-3000:]}")
    return result | {"seconds": time.monotonic() - begin}


def _run(reader: str, seconds: int, corpus: Path, keep: Path) -> str:
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={TIMEOUT_SECONDS}",
        f"-max_len={MAX_BYTES}",
        "-rss_limit_mb=2048",
    ]
    options += ["-print_final_stats=1", f"-artifact_prefix={keep}/{reader}-", str(corpus)]
    done = subprocess.run(
        [sys.executable, __file__, "--child", reader, "--", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False,
    )  # fmt: skip
    return done.stdout


def _seeds(reader: str) -> list[bytes]:
    """The files that the tests damage."""
    sys.path.insert(0, str(HERE.parent / "tests" / "data"))
    from test_fuzz import SEEDS

    return SEEDS[f"a.{reader}"]


def _child(reader: str, options: list[str]) -> None:
    """Fuzz in this process; libFuzzer terminates it."""
    import atheris

    with atheris.instrument_imports(include=["polib", "distilmt.data"], enable_loader_override=False):
        from distilmt.data.readers.files import read_pairs
        from distilmt.utils.errors import UserError

        if reader in ("po", "mo"):
            import polib  # noqa: F401

    path = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / f"a.{reader}"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            pairs = list(read_pairs([str(path)], "en", "it"))
        except UserError as error:
            assert "\n" not in str(error)
            return
        assert len({pair.line for pair in pairs}) == len(pairs)

    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", nargs="+", default=["po", "tmx", "tsv", "xlf"])
    parser.add_argument("--seconds", type=int, default=600, help="for each reader")
    parser.add_argument("--jobs", type=int, default=2, help="readers that are fuzzed at once")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-readers")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.options)
    else:
        given.keep.mkdir(parents=True, exist_ok=True)
        message = f"python benchmarks/fuzz_readers.py --readers {' '.join(given.readers)} --seconds {given.seconds}"
        main(given.readers, given.seconds, given.jobs, given.keep.resolve(), message)

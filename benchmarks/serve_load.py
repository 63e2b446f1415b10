"""Load test of `distilmt serve` over loopback with checked responses; LibreTranslate and CTranslate2 for comparison.

    python benchmarks/serve_load.py RUN_DIR --package student.argosmodel --libretranslate VENV

RUN_DIR is a finished run: its `student-int8` translates its test sentences, one per request, over persistent
connections. The client runs on the same cores as the server, so both servers are slower than with remote clients. `raw`
is CTranslate2 alone with the same sentences in batches of the same size, without a client.
Prints a table, and writes it with `--out` (benchmarks/results/serve_load.json).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from distilmt.data.sentence_splitter import sentences as split
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.utils.hardware import cores

_BATCH_TOKENS = 1024  # of `distilmt serve`, by default
# LibreTranslate by default (CTranslate2 uses all cores for one batch), and with one batch per core, like ours.
_THREADS = {
    "libretranslate": {},
    "libretranslate_inter": {"ARGOS_INTER_THREADS": str(cores()), "ARGOS_INTRA_THREADS": "1"},
}
_HEAD = "POST /translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


@dataclass
class Load:
    """The result of one load."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Number of responses: `same` as the model's, `rounded` differently in another batch, `wrong`."""


class Check:
    """Accepted translations of each sentence."""

    def __init__(self, model: Path, sentences: list[str]) -> None:
        translator = Translator(model, threads=1, workers=cores())
        orders = (range(len(sentences)), range(len(sentences) - 1, -1, -1))
        self.allowed: list[set[str]] = [set() for _ in sentences]
        for order in orders:
            for size, kind in ((1, "examples"), (16, "examples"), (64, "examples"), (_BATCH_TOKENS, "tokens")):
                actual = translator.hypotheses(
                    [sentences[i] for i in order], DecodingOptions(batch_size=size, batch_type=kind)
                )
                for index, hypotheses in zip(order, actual, strict=True):
                    self.allowed[index].add(hypotheses[0].text if hypotheses else "")
        self.cache: dict[tuple[int, str], str] = {}

    def kind(self, index: int, text: str) -> str:
        """Classify a response: the sentence's translation, or closer to its translations than to any other's."""
        if text in self.allowed[index]:
            return "same"
        if (index, text) not in self.cache:
            near = [max(SequenceMatcher(None, text, one).ratio() for one in actual) for actual in self.allowed]
            self.cache[index, text] = "rounded" if near[index] == max(near) and near[index] > 0.5 else "wrong"
        return self.cache[index, text]


class Client(asyncio.Protocol):
    """One persistent connection: sends a sentence, checks the response, sends the next."""

    def __init__(self, load: Load, requests: list[bytes], first: int, check: Check | None, done: asyncio.Future[None]):
        self.load, self.requests, self.index, self.check, self.done = load, requests, first, check, done
        self.buffer, self.stop = b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.request()

    def request(self) -> None:
        self.begun = time.perf_counter()
        self.transport.write(self.requests[self.index])

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, actual, body = self.buffer.partition(b"\r\n\r\n")
        if not actual:
            return
        low = head.lower()
        start = low.index(b"content-length:") + 15
        length = int(low[start:].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.load.seconds.append(time.perf_counter() - self.begun)
        status = int(head[9:12])
        self.load.statuses[status] += 1
        if status == 200:
            text = json.loads(body)["translatedText"]
            self.load.kinds[self.check.kind(self.index, text) if self.check else "same" if text else "empty"] += 1
        self.buffer = b""
        self.index = (self.index + 1) % len(self.requests)
        if b"connection: close" in low or self.stop:
            self.transport.close()
        else:
            self.request()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _load(port: int, requests: list[bytes], connections: int, seconds: float, check: Check | None) -> Load:
    load, loop = Load(), asyncio.get_running_loop()
    clients, ends = [], []
    for number in range(connections):
        end: asyncio.Future[None] = loop.create_future()
        first = number * len(requests) // connections
        instance = Client(load, requests, first, check, end)
        await loop.create_connection(lambda instance=instance: instance, "127.0.0.1", port)
        clients.append(instance)
        ends.append(end)
    await asyncio.sleep(seconds)
    for client in clients:
        client.stop = True
    await asyncio.wait_for(asyncio.gather(*ends), 60)
    return load


def measure(port: int, requests: list[bytes], connections: int, seconds: float, check: Check | None) -> dict[str, Any]:
    import uvloop

    begun = time.perf_counter()
    load = uvloop.run(_load(port, requests, connections, seconds, check))
    took = time.perf_counter() - begun
    ordered = sorted(load.seconds)

    def quantile(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    return {
        "connections": connections,
        "seconds": round(took, 1),
        "requests_per_second": round(len(ordered) / took, 1),
        "p50_ms": quantile(0.5),
        "p95_ms": quantile(0.95),
        "p99_ms": quantile(0.99),
        "statuses": dict(load.statuses),
        "answers": dict(load.kinds),
    }


@contextmanager
def _served(command: list[str], port: int, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | env)
        try:
            _await(port, process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _await(port: int, process: subprocess.Popen[bytes], log: Any) -> None:
    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return
        if process.poll() is not None:
            log.seek(0)
            sys.exit(f"the server ended: {log.read().decode()[-2000:]}")
        time.sleep(0.2)
    sys.exit("the server does not answer")


def _free_port() -> int:
    with socket.socket() as actual:
        actual.bind(("127.0.0.1", 0))
        return int(actual.getsockname()[1])


def raw(model: Path, sentences: list[str], seconds: float) -> float:
    """Sentences per second of CTranslate2 alone, on tokenized text, with as many threads as the server."""
    translator = Translator(model, threads=1, workers=cores())
    pieces = translator.tokenize(sentences)
    options: dict[str, Any] = {"beam_size": 4, "max_batch_size": _BATCH_TOKENS, "batch_type": "tokens"}
    options["max_decoding_length"] = translator.max_length
    translator._model.translate_batch(pieces, **options)
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        translator._model.translate_batch(pieces, **options)
        count += len(pieces)
    return count / (time.perf_counter() - begun)


def _libretranslate(venv: Path, package: Path, scratch: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """LibreTranslate's own server with the same student, without downloads.

    It splits sentences by spaCy's rules, one of its own settings, for which its environment needs `pip install spacy`;
    that costs less than MiniSBD, its default, whose model it would have to download. A copy of the package for the
    reverse direction prevents downloads of packages, which happen if there are fewer than two.
    """
    names = {"XDG_DATA_HOME": "data", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}
    env = {name: str(scratch / place) for name, place in names.items()} | {"ARGOS_CHUNK_TYPE": "SPACY"}
    packages, spacy = scratch / "data" / "argos-translate" / "packages", scratch / "cache" / "argos-translate" / "spacy"
    for way in ("there", "back"):
        with zipfile.ZipFile(package) as archive:
            archive.extractall(packages / way)
        (inner,) = (packages / way).iterdir()
        inner.rename(packages / f"{way}-{inner.name}")
        (packages / way).rmdir()
    spacy.mkdir(parents=True)
    (back,) = packages.glob("back-*")
    facts = json.loads((back / "metadata.json").read_text())
    facts |= {"from_code": facts["to_code"], "to_code": facts["from_code"]}
    (back / "metadata.json").write_text(json.dumps(facts))
    make = f"import spacy; spacy.blank('xx').to_disk({str(spacy)!r})"
    subprocess.run([venv / "bin" / "python", "-c", make], check=True)
    (spacy / "senter").mkdir()
    (spacy / "senter" / "model").touch()
    command = [str(venv / "bin" / "libretranslate"), "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--disable-web-ui", "--disable-files-translation"], env


def libretranslate(chosen: argparse.Namespace, requests: list[bytes], threads: dict[str, str]) -> dict[str, Any]:
    """The load with the most connections on LibreTranslate's server, after a warm-up with the same number."""
    with tempfile.TemporaryDirectory() as scratch:
        port = _free_port()
        command, env = _libretranslate(chosen.libretranslate, chosen.package, Path(scratch), port)
        with _served(command, port, env | threads):
            measure(port, requests, chosen.connections[-1], chosen.warm_up, None)
            return measure(port, requests, chosen.connections[-1], chosen.seconds, None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--package", type=Path, help="the student as .argosmodel")
    parser.add_argument("--libretranslate", type=Path, help="virtual environment of LibreTranslate")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=20, help="seconds before LibreTranslate is measured")
    parser.add_argument("--raw-seconds", type=float, default=15)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    chosen = _arguments()
    model = chosen.run / "exports" / "student-int8"
    sentences = pq.read_table(chosen.run / "corpus" / "test.parquet")["source"].to_pylist()
    # One sentence per request, as for CTranslate2: neither server then has to split.
    portions = Translator(model, threads=1).portions
    sentences = [text for text in sentences if len(split(text)) == len(portions(text)) == 1]
    source, target = (json.loads((model / "card.json").read_text())[side] for side in ("source", "target"))
    bodies = [json.dumps({"q": text, "source": source, "target": target}).encode() for text in sentences]
    requests = [_HEAD.format(len(body)).encode() + body for body in bodies]
    check = Check(model, sentences)
    result: dict[str, Any] = {
        "sentences": len(sentences),
        "mean_characters": sum(map(len, sentences)) / len(sentences),
        "cores": cores(),
        "model_bytes": (model / "model.bin").stat().st_size,
        "date": time.strftime("%Y-%m-%d"),
        "raw_sentences_per_second": round(raw(model, sentences, chosen.raw_seconds), 1),
        "distilmt": [],
    }
    port = _free_port()
    command = [sys.executable, "-m", "distilmt", "serve", str(model), "--port", str(port)]
    with _served(command, port, {}):
        measure(port, requests, 16, 2, check)
        for connections in chosen.connections:
            result["distilmt"].append(measure(port, requests, connections, chosen.seconds, check))
            print(json.dumps(result["distilmt"][-1]), flush=True)
    result["raw_sentences_per_second_after"] = round(raw(model, sentences, chosen.raw_seconds), 1)
    if chosen.libretranslate:
        for name, threads in _THREADS.items():
            result[name] = libretranslate(chosen, requests, threads)
            print(json.dumps(result[name]), flush=True)
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Fuzz the server's endpoints of pictures with damaged files.

    python benchmarks/fuzz_picture_requests.py EXPORT --minutes 5 --seed 1

The files are those of `fuzz_pictures.py`, sent to a `distilmt serve EXPORT` in a process of its own: `/translate_image`
and `/translate_file`, as forms and as bodies, with wrong names, types and languages. Each must get 200 or an error of
one line below 500 within a minute, and the server must be healthy at the end. Memory is that of the server with its
children.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
from fuzz_pictures import corpus, damaged

NAMES = ("a.png", "a.jpg", "a.pdf", "a.tif", "a.docx", "a", "../../a.png", "a\n.png", "", "ä字.webp")
TYPES = ("image/png", "image/jpeg", "application/pdf", "text/plain", "application/json", "")
LANGUAGES = ({"source": "en", "target": "it"}, {"source": "auto", "target": "it"}, {"source": "xx", "target": "it"}, {})


def send(client: httpx.Client, data: bytes, generator: random.Random) -> httpx.Response:
    path, languages = generator.choice(("/translate_image", "/translate_file")), generator.choice(LANGUAGES)
    if generator.random() < 0.7:
        return client.post(path, data=languages, files={"file": (generator.choice(NAMES), data)})
    return client.post(path, params=languages, content=data, headers={"content-type": generator.choice(TYPES)})


def fault_of(response: httpx.Response) -> str | None:
    """What is wrong with a response; None if nothing is."""
    if response.status_code == 200:
        return None if response.json() else "empty"
    if response.status_code >= 500:
        return f"{response.status_code} {response.text[:200]}"
    text = response.json().get("error") or json.dumps(response.json())
    return None if text and "\n" not in text and "Traceback" not in text else text[:200]


def memory_of(pid: int) -> int:
    """Resident bytes of a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 + sum(memory_of(int(child)) for child in children)


def fuzz(client: httpx.Client, server: subprocess.Popen[bytes], minutes: float, seed: int) -> dict[str, object]:
    files, end = corpus(), time.monotonic() + 60 * minutes
    counts, faults, slowest, peak = Counter[int](), [], 0.0, 0
    while time.monotonic() < end and server.poll() is None:
        begin = time.monotonic()
        try:
            response = send(client, damaged(files, seed), random.Random(-seed))
            counts[response.status_code] += 1
            fault = fault_of(response)
        except (httpx.HTTPError, ValueError) as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            faults.append(f"seed {seed}: {fault}")
        slowest, seed = max(slowest, time.monotonic() - begin), seed + 1
        try:
            peak = max(peak, memory_of(server.pid))
        except (OSError, ValueError, IndexError):
            continue  # a child has just ended
    is_healthy = server.poll() is None and client.get("/health").status_code == 200
    return {
        "responses": dict(counts),
        "faults": faults,
        "healthy at the end": is_healthy,
        "slowest seconds": round(slowest, 1),
        "peak MB": peak >> 20,
        "last seed": seed,
    }


def main(options: argparse.Namespace) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = f"en-it={options.export}"
    command = [sys.executable, "-m", "distilmt", "serve", model, "--port", str(port), "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for _ in range(240):
                    try:
                        client.get("/health")
                        break
                    except httpx.ConnectError:
                        time.sleep(0.25)
                print(json.dumps(fuzz(client, server, options.minutes, options.seed), indent=2))
        finally:
            server.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    main(parser.parse_args())

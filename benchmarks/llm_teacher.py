"""Requests per second of a language model as teacher, beside what its server does: python benchmarks/llm_teacher.py

The server runs in a process of its own. As servers with continuous batching do, it works on `--slots` requests at a
time, each for `--seconds`, and lets others wait. What it does itself is measured by as many connections that stay open
and send the next request at once. Both are measured in turn, `--rounds` times. No model is loaded: only the client is
measured.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import multiprocessing
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from urllib.parse import urlsplit

from turns import write

from distilmt.config import EndpointConfig
from distilmt.teachers.remote import RemoteTeacher

_SOURCE, _TRANSLATION = "The car number {} is near the river today.", "L'auto numero {} è vicino al fiume oggi."


def serve(port: int, slots: int, seconds: float) -> None:
    """Serve chat completions until the process ends."""
    import uvicorn

    places = asyncio.Semaphore(slots)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        async with places:
            await asyncio.sleep(seconds)
        number = json.loads(body)["messages"][-1]["content"].rpartition("number ")[2].split()[0]
        choice = {"message": {"content": _TRANSLATION.format(number)}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 30, "completion_tokens": 12}
        content = json.dumps({"choices": [choice], "usage": usage}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")


def of_server(url: str, sources: list[str], connections: int) -> float:
    """Responses per second over connections that stay open."""
    parts = urlsplit(url)

    def send(own: list[str]) -> None:
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        for source in own:
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": source}]})
            connection.request("POST", "/v1/chat/completions", body)
            connection.getresponse().read()

    begin = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, [sources[start::connections] for start in range(connections)]))
    return len(sources) / (time.perf_counter() - begin)


def of_teacher(url: str, sources: list[str], connections: int) -> float:
    """Translations per second of a teacher with so many concurrent requests."""
    endpoint = asdict(EndpointConfig(model="m", max_concurrency=connections))
    facts = {"kind": "openai", "name": "m", "url": f"{url}/v1", "source": "en", "target": "it", "request": {}}
    teacher = RemoteTeacher({**facts, "endpoint": endpoint})
    teacher.translate(sources[:1])  # loads what checks the translations
    begin = time.perf_counter()
    translations = teacher.translate(sources)
    assert all(translations)
    return len(sources) / (time.perf_counter() - begin)


def main() -> None:
    """Print the medians and their ratio for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[8, 16, 32])
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.Process(target=serve, args=(port, options.slots, options.seconds), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port}"
    sources = [_SOURCE.format(number) for number in range(options.requests)]
    _wait_for(port)
    data, rows = {}, ["| connections | server, requests/s | distilmt, sentences/s | ratio |", "|---:|---:|---:|---:|"]
    for connections in options.connections:
        rounds = [
            (of_server(url, sources, connections), of_teacher(url, sources, connections)) for _ in range(options.rounds)
        ]
        alone, ours = (statistics.median(values) for values in zip(*rounds, strict=True))
        rows.append(f"| {connections} | {alone:.1f} | {ours:.1f} | {ours / alone:.2f} |")
        data[str(connections)] = rounds
    server.terminate()
    settings = f"--requests {options.requests} --slots {options.slots} --seconds {options.seconds:g}"
    write("llm-teacher", f"python benchmarks/llm_teacher.py {settings}", ["\n".join(rows)], {"rounds": data})


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server does not start")


if __name__ == "__main__":
    main()

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from distilmt.config import CorpusConfig, SourceConfig
from distilmt.data.prepare import inputs, load_split, prepare
from distilmt.data.readers import opus
from distilmt.utils.errors import UserError

pytest.importorskip("opustools")
LINES = 40


class Opus:
    """A server that responds as the API of OPUS does, and serves archives as its storage does."""

    def __init__(self) -> None:
        self.archive, self.requests, self.cut, self.cut_response = archive(), list[str](), 0, 0
        opus_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                opus_server.requests.append(self.path)
                requests = {key: values[0] for key, values in parse_qs(urlparse(self.path).query).items()}
                body = opus_server.archive if self.path.endswith(".zip") else opus_server.response(requests)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                cut = opus_server.cut if body is opus_server.archive else opus_server.cut_response
                self.wfile.write(body[: len(body) - cut])

            def log_message(self, *message: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def response(self, requests: dict[str, str]) -> bytes:
        result = []
        if requests["corpus"] == "Books" and {requests["source"], requests["target"]} == {"en", "it"}:
            numbers = dict.fromkeys(("alignment_pairs", "documents", "id", "source_tokens", "target_tokens"), 1)
            message = {"corpus": "Books", "version": "v1", "preprocessing": "moses", "size": 3, "latest": "True"}
            result = [
                {
                    "url": f"{self.url}/Books/v1/moses/en-it.txt.zip",
                    "source": "en",
                    "target": "it",
                    **message,
                    **numbers,
                }
            ]
        return json.dumps({"corpora": result}).encode()


def archive(**more: str) -> bytes:
    texts = {
        "LICENSE": "\nCC BY 4.0\nmore\n",
        "README": "x",
        "Books.en-it.en": "".join(f"book sentence {n}\n" for n in range(LINES)),
        "Books.en-it.it": "".join(f"frase di libro {n}\n" for n in range(LINES)),
        "Books.en-it.xml": "<x/>",
    } | more
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
    return data.getvalue()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opus]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    started = Opus()
    monkeypatch.setattr(opus, "API", f"{started.url}/opusapi")
    yield started
    started.server.shutdown()
    started.server.server_close()


def test_a_corpus_is_fetched_once(server: Opus, tmp_path: Path) -> None:
    config = CorpusConfig(dataset="opus:Books", valid_size=2, test_size=2)
    assert list(inputs(config)) == ["opus:Books"]
    assert prepare(config, 1, tmp_path / "out").train == LINES - 4
    assert load_split(tmp_path / "out", "train").slice(0, 1).to_pylist() == [
        {"id": "train-000001", "source": "book sentence 0", "target": "frase di libro 0"}
    ]
    assert json.loads((tmp_path / "out" / "card.json").read_text())["sources"][0]["license"] == "CC BY 4.0"
    assert len(server.requests) == 2
    assert "version=latest" in server.requests[0]
    cached = next((tmp_path / "cache").rglob("corpus.json"))
    cached.write_text(cached.read_text().replace('"license"', '"licence"'))  # the spelling of older versions
    prepare(config, 1, tmp_path / "again")
    assert json.loads((tmp_path / "again" / "card.json").read_text())["sources"][0]["license"] == "CC BY 4.0"
    assert len(server.requests) == 2
    prepare(CorpusConfig(sources=[SourceConfig(dataset="opus:Books/v1")]), 1, tmp_path / "b")
    assert "version=v1" in server.requests[2]
    # The other way round the same archive is read.
    turned = CorpusConfig(source="it", target="en", dataset="opus:Books")
    prepare(turned, 1, tmp_path / "c")
    assert load_split(tmp_path / "c", "train")["target"].to_pylist()[0].startswith("book sentence")


def flipped_stream(archive: bytes) -> bytes:
    """The archive with a damaged deflate stream in each member; its directory is whole."""
    damaged = bytearray(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        for info in package.infolist():
            begin = info.header_offset + 30 + len(info.filename.encode())
            damaged[begin : begin + 4] = b"\xff\xff\xff\xff"
    return bytes(damaged)


def marked_encrypted(archive: bytes) -> bytes:
    """The archive with the flag of encryption on each member."""
    damaged, at = bytearray(archive), 0
    while (at := archive.find(b"PK\x01\x02", at)) >= 0:
        damaged[at + 8] |= 1
        at += 4
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        for info in package.infolist():
            damaged[info.header_offset + 6] |= 1
    return bytes(damaged)


def test_what_is_wrong_is_reported(server: Opus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def complaint(name: str) -> str:
        with pytest.raises(UserError) as caught:
            opus.fetch(name, "en", "it")
        assert "\n" not in str(caught.value)
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        return str(caught.value)

    whole = server.archive
    assert "write opus:NAME" in complaint("opus:a b")
    assert "OPUS has no opus:Nothing" in complaint("opus:Nothing")
    server.cut_response = 9
    assert "OPUS cannot be reached" in complaint("opus:Books")
    server.cut, server.cut_response = 9, 0
    assert "download is incomplete" in complaint("opus:Books")
    server.cut, server.archive = 0, b"no archive"
    assert "not a complete archive" in complaint("opus:Books")
    for broken in (flipped_stream(whole), marked_encrypted(whole)):
        server.archive = broken
        assert "not a complete archive" in complaint("opus:Books")
    server.archive = archive(**{"Other.en-it.it": "x"})
    assert "exactly one text in 'it'" in complaint("opus:Books")
    monkeypatch.setattr(opus, "API", "http://127.0.0.1:9/opusapi")
    assert "OPUS cannot be reached" in complaint("opus:Books")

"""A hub on this machine: huggingface_hub's cache as it lies on disk, and a server for the requests that it sends."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

WRITE_TOKEN = "hf_write"


def add_to_cache(cache: Path, repo_id: str, files: dict[str, bytes], revision: str = "main") -> Path:
    """Put a model into a cache as a download does: contents in `blobs`, links to them in a snapshot, a ref to it."""
    directory = cache / f"models--{repo_id.replace('/', '--')}"
    commit = _commit(files)
    snapshot = directory / "snapshots" / commit
    for name, content in files.items():
        blob = directory / "blobs" / _blob_id(content)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)
    ref = directory / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)
    return snapshot


def files_of(directory: Path) -> dict[str, bytes]:
    """The files of an export, by their names in a repository."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@dataclass
class Hub:
    """The repositories of a server, and what it was sent."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files of each model by name."""
    gated: set[str] = field(default_factory=set)
    """Models that nobody may read."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    visibilities: dict[str, str] = field(default_factory=dict)
    """Of each model that was created by a request."""
    url: str = ""
    """Address of the server."""


@contextmanager
def hub_server():
    """A `Hub` that huggingface_hub can read and write, with `HF_ENDPOINT` as its address."""
    hub = Hub()

    class Handler(_Handler):
        store = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Hub

    def do_GET(self):
        self.store.requests.append((self.command, self.path))
        path = unquote(self.path.partition("?")[0])
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            self._describe(match[1], match[2], match[3] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(match[1], match[3])
        else:
            self._error(404, "EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self):
        self.store.requests.append((self.command, self.path))
        body = self._body()
        if self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {WRITE_TOKEN}":
            self._json({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/repos/create":
            request = json.loads(body)
            name = f"{request.get('organization') or 'somebody'}/{request['name']}"
            if name in self.store.models:
                self._json({"error": "it exists", "url": f"{self.store.url}/{name}"}, 409)
                return
            self.store.models[name] = {}
            is_private = request.get("private") or request.get("visibility") == "private"  # before and since 2.0
            self.store.visibilities[name] = "private" if is_private else "public"
            self._json({"url": f"{self.store.url}/{name}", "id": name})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            self._json({"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})
        elif match := re.match(r"/api/models/([^/]+/[^/]+)/commit/", self.path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._error(404, "EntryNotFound")

    def _describe(self, name: str, what: str | None, revision: str) -> None:
        files = self.store.models.get(name)
        if files is None:
            self._error(401, "RepoNotFound")
        elif name in self.store.gated:
            self._error(403, "GatedRepo")
        elif revision not in ("main", _commit(files)):
            self._error(404, "RevisionNotFound")
        elif what == "tree":
            self._json(
                [{"type": "file", "path": p, "size": len(c), "oid": _blob_id(c)} for p, c in sorted(files.items())]
            )
        else:
            siblings = [{"rfilename": path} for path in files]
            self._json({"id": name, "modelId": name, "sha": _commit(files), "siblings": siblings})

    def _file(self, name: str, path: str) -> None:
        content = self.store.models.get(name, {}).get(path)
        if content is None:
            self._error(404, "EntryNotFound")
            return
        headers = {"ETag": f'"{_blob_id(content)}"', "X-Repo-Commit": _commit(self.store.models[name])}
        self._send(200, content, headers)

    def _commit(self, name: str, lines: list[dict]) -> None:
        files = self.store.models[name]
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                del files[line["value"]["path"]]
        commit = _commit(files)
        self._json({"success": True, "commitOid": commit, "commitUrl": f"{self.store.url}/{name}/commit/{commit}"})

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []  # chunked
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _error(self, status: int, code: str) -> None:
        self._send(status, json.dumps({"error": code}).encode(), {"X-Error-Code": code})

    def _json(self, content: object, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def _blob_id(content: bytes) -> str:
    """Git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _commit(files: dict[str, bytes]) -> str:
    """A name for the state of a repository, of the length of a commit's."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()

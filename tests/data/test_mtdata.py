import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from distilmt.config import CorpusConfig
from distilmt.data.prepare import inputs, load_split, prepare
from distilmt.data.readers import mtdata
from distilmt.utils.errors import UserError

PLACES = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
COMMAND = shutil.which("mtdata", path=os.pathsep.join(PLACES))
# An index of one corpus, written by mtdata itself to where it keeps its own.
INDEX = """
import pickle, sys
import mtdata
mtdata.cached_index_file.parent.mkdir(parents=True, exist_ok=True)
import mtdata.index as index
made = index.Index()
made.add_entry(index.Entry("Test-made_up-1-ita-eng", sys.argv[1]))
with open(mtdata.cached_index_file, "wb") as file:
    pickle.dump(made, file)
"""


def test_without_mtdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="pip install '\\.\\[mtdata\\]'"):
        mtdata.fetch("mtdata:Test-made_up-1-ita-eng", "en", "it")
    with pytest.raises(UserError, match="write mtdata:ID"):
        mtdata.fetch("mtdata:Test", "en", "it")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.skipif(COMMAND is None, reason="mtdata is not here")
def test_a_corpus_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert COMMAND is not None
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "made.tsv").write_text("".join(f"frase {n}\tsentence {n}\n" for n in range(40)))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MTDATA", str(tmp_path / "mtdata"))
    monkeypatch.setenv("HOME", str(tmp_path))
    python = Path(COMMAND).read_text().splitlines()[0].removeprefix("#!")
    url = f"http://127.0.0.1:{server.server_port}/made.tsv"
    subprocess.run([python, "-c", INDEX, url], check=True, cwd=tmp_path)
    config = CorpusConfig(dataset="mtdata:Test-made_up-1-ita-eng", valid_size=2, test_size=2)
    assert list(inputs(config)) == [config.dataset]
    server.shutdown()
    server.server_close()
    assert prepare(config, 1, tmp_path / "out").train == 36
    first = load_split(tmp_path / "out", "train").slice(0, 1).to_pylist()[0]
    assert (first["source"], first["target"]) == ("sentence 0", "frase 0")
    with pytest.raises(UserError, match="mtdata cannot fetch it"):
        mtdata.fetch("mtdata:Test-nothing-1-ita-eng", "en", "it")

"""A real apt-get fetches from a repository made here; no network is used."""

import gzip
import shutil
from pathlib import Path

import pytest
from helpers.apt_archive import ENGLISH, ITALIAN, Repository

from distilmt.data.readers import apt
from distilmt.utils.errors import UserError

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not here")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def test_fetches_descriptions_and_source_names(repository: Repository, tmp_path: Path) -> None:
    indices = apt.fetch(["en", "it", "pt_BR"], tmp_path / "cache", repository.config)
    assert text(indices.translations["en"]).strip() == ENGLISH.strip()
    assert text(indices.translations["it"]).strip() == ITALIAN.strip()
    assert "piccolo" in text(indices.translations["pt_BR"])
    assert text(indices.packages) == "frob\tfrobnicate\tnet\nalone\talone\t\n"
    assert not list((tmp_path / "cache").glob(".apt-*"))


def test_second_call_needs_no_repository(repository: Repository, tmp_path: Path) -> None:
    first = apt.fetch(["en", "it"], tmp_path / "cache", repository.config)
    shutil.rmtree(repository.root)
    assert apt.fetch(["en", "it"], tmp_path / "cache", repository.config) == first


@pytest.mark.parametrize("name", ["Translation-it.gz", "packages-sections.tsv.gz", "manifest.json"])
def test_damaged_cache_is_fetched_again(repository: Repository, tmp_path: Path, name: str) -> None:
    first = apt.fetch(["en", "it"], tmp_path / "cache", repository.config)
    damaged = tmp_path / "cache" / name
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-3] + b"xyz")
    assert apt.fetch(["en", "it"], tmp_path / "cache", repository.config) == first
    assert damaged.read_bytes() == whole


def test_leftovers_of_a_killed_fetch_are_removed(repository: Repository, tmp_path: Path) -> None:
    leftover = tmp_path / "cache" / ".apt-1" / "lists"
    leftover.mkdir(parents=True)
    (tmp_path / "cache" / "Translation-en.gz").write_bytes(b"half")
    indices = apt.fetch(["en", "it"], tmp_path / "cache", repository.config)
    assert not leftover.exists()
    assert "It frobs." in text(indices.translations["en"])


def test_fingerprint_follows_content(repository: Repository, tmp_path: Path) -> None:
    first = apt.fetch(["en", "it"], tmp_path / "one", repository.config)
    repository.write("i18n/Translation-it", ITALIAN.replace("piccolo", "minuscolo"))
    second = apt.fetch(["en", "it"], tmp_path / "two", repository.config)
    assert first.fingerprint != second.fingerprint


def test_unknown_language_names_those_there_are(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'tlh' \(it has en, it, pt_BR\)"):
        apt.fetch(["en", "tlh"], tmp_path / "cache", repository.config)


def test_repository_out_of_reach(repository: Repository, tmp_path: Path) -> None:
    shutil.rmtree(repository.root)
    with pytest.raises(UserError, match="check the network") as caught:
        apt.fetch(["en", "it"], tmp_path / "cache", repository.config)
    assert "\n" not in str(caught.value)


def test_missing_apt(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get is missing"):
        apt.fetch(["en", "it"], tmp_path / "cache", repository.config)


def test_default_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert apt.default_cache() == tmp_path / "distilmt" / "apt"

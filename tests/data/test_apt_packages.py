"""Packages that dpkg-deb builds here; no network is used."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from helpers.apt_archive import Repository

from distilmt.data.readers import apt_packages
from distilmt.utils.errors import UserError

pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None, reason="apt-get or dpkg-deb is not here"
)
FILES = {"usr/share/a.mo": b"a" * 3000, "usr/share/b.mo": b"b" * 3000, "usr/share/c.txt": b"c" * 200_000}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    Repository(tmp_path).publish("frob", FILES)
    return tmp_path / "archive/pool/frob.deb"


def contents(package: Path, name_pattern: str) -> dict[str, bytes]:
    return dict(apt_packages.files(package, re.compile(name_pattern)))


def test_files_by_their_whole_names(package: Path) -> None:
    assert contents(package, r".*\.mo") == {name: FILES[name] for name in ("usr/share/a.mo", "usr/share/b.mo")}
    assert contents(package, "share/a.mo") == {}


@pytest.mark.parametrize("end", [0, 100, "header of b", "inside of b", "inside of c"])
def test_a_damaged_package_is_one_clear_line(package: Path, end: int | str) -> None:
    """Also if it ends between two files, which looks like the end of the archive."""
    data = package.read_bytes()
    places = {"header of b": data.index(b"b" * 3000) - 512, "inside of b": data.index(b"b" * 3000) + 10}
    places["inside of c"] = data.index(b"c" * 200_000) + 100_000
    package.write_bytes(data[: places[end] if isinstance(end, str) else end])
    with pytest.raises(UserError, match=r"^frob\.deb is damaged \(.+\): download it again$"):
        contents(package, r".*/a\.mo")


def test_a_file_that_is_no_package_is_one_clear_line(tmp_path: Path) -> None:
    archive = Repository(tmp_path)
    archive.publish("frob", FILES)
    packages = archive.root / "dists/suite/main/binary-all/Packages"
    (archive.root / "pool/frob.deb").write_bytes(b"no package")
    stanza = re.sub("(?m)^Size.*", "Size: 10", packages.read_text())
    stanza = re.sub("(?m)^SHA256.*", f"SHA256: {hashlib.sha256(b'no package').hexdigest()}", stanza)
    archive.write("binary-all/Packages", stanza)
    (tmp_path / "cache").mkdir()
    with (
        pytest.raises(UserError, match=r"^frob_1_all\.deb is damaged \(.+\): download it again$"),
        apt_packages.downloaded(["frob"], tmp_path / "cache", archive.config),
    ):
        pass


def test_an_archive_without_packages_is_one_clear_line(tmp_path: Path) -> None:
    archive = Repository(tmp_path)
    archive.write("binary-all/Packages", "")
    (tmp_path / "cache").mkdir()
    with (
        pytest.raises(UserError, match=r"^apt has none of the packages frob\* \(.+\): check the network"),
        apt_packages.downloaded(["frob*"], tmp_path / "cache", archive.config),
    ):
        pass
    assert not list((tmp_path / "cache").iterdir())

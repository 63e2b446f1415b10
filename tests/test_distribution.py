"""The wheel and the source distribution: what is in them, and that the wheel works outside of a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers import toy
from helpers.processes import offline_environment

from distilmt.inference.translator import Translator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "distilmt"
TEXT = toy.pairs(1, seed=5)[0][0]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> Path:
    """A directory with the source distribution, and the wheel that is built from it."""
    pytest.importorskip("build")
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, process.stderr[-3000:] + process.stdout[-3000:]
    return directory


@pytest.fixture(scope="module")
def wheel(distributions) -> Path:
    (path,) = distributions.glob("*.whl")
    return path


def package_files() -> set[str]:
    """All files of the package in this checkout, as a wheel names them."""
    paths = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PACKAGE.parent).as_posix() for path in paths}


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = {name.partition("/")[0] for name in names} - {"distilmt"}
        entry_points = archive.read(f"{about}/entry_points.txt").decode()
        license_text = archive.read(f"{about}/licenses/LICENSE")
    assert {name for name in names if name.startswith("distilmt/")} == package_files()
    kinds = {Path(name).suffix for name in names}
    assert kinds >= {".py", ".typed", ".html", ".js", ".css", ".j2", ".mo"}
    assert "distilmt = distilmt.__main__:program" in entry_points
    assert license_text == (ROOT / "LICENSE").read_bytes()


def test_the_source_distribution_holds_the_package(distributions):
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in package_files()} <= names
    assert {"LICENSE", "README.md", "pyproject.toml", "constraints.txt"} <= names
    assert not [name for name in names if name.startswith((".venv", "runs/")) or "__pycache__" in name]


def environment() -> dict[str, str]:
    """Nothing of this checkout is on the path."""
    return {name: value for name, value in offline_environment().items() if name != "PYTHONPATH"}


def translate(python: Path, model: Path, directory: Path) -> str:
    """What the installed command translates `TEXT` into; it runs in an empty directory."""
    location = subprocess.run(
        [python, "-c", "import distilmt; print(distilmt.__file__)"],
        capture_output=True, text=True, env=environment(), cwd=directory, check=True,
    )  # fmt: skip
    assert Path(location.stdout.strip()).is_relative_to(python.parents[1])
    command = [python.with_name("distilmt"), "translate", model, "--text", TEXT, "--threads", "1"]
    process = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=directory, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.rstrip("\n")


def test_an_installed_wheel_translates(wheel, exported_model, tmp_path):
    """Its dependencies are those of the environment of the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, env=environment() | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (site_packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    # A line of a .pth file is a directory whose own .pth files are not read: distilmt's checkout is not among them.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + os.linesep)
    assert translate(python, exported_model, tmp_path) == Translator(exported_model).translate([TEXT])[0]


@pytest.mark.slow
def test_a_wheel_with_its_own_dependencies_translates_without_torch(wheel, exported_model, tmp_path):
    """In an empty environment, into which pip brings what the wheel names."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    process = subprocess.run([*pip, wheel], capture_output=True, text=True, env=environment(), check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert b"No module named 'torch'" in absent.stderr
    assert translate(python, exported_model, tmp_path) == Translator(exported_model).translate([TEXT])[0]

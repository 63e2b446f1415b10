"""JavaScript runtime of a student in the browser: from npm's packages, not part of distilmt.

Two packages in the tested versions: ONNX Runtime (MIT) in its smallest build, WebAssembly without WebGPU, and Hugging
Face's tokenizers (Apache-2.0).
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

PACKAGES = {"onnxruntime-web": "1.30.0", "@huggingface/tokenizers": "0.2.0"}
"""Versions by package."""
FILES = {
    "ort.mjs": ("onnxruntime-web", "dist/ort.wasm.bundle.min.mjs"),
    "ort.wasm": ("onnxruntime-web", "dist/ort-wasm-simd-threaded.wasm"),
    "tokenizers.mjs": ("@huggingface/tokenizers", "dist/tokenizers.min.mjs"),
}
"""Package and path of every file, by the file's name in an export."""
_INSTALL = "npm install --ignore-scripts " + " ".join(f"{name}@{version}" for name, version in PACKAGES.items())
_SECONDS = 600


def check_installed(node_modules: str | None) -> None:
    """Check that the runtime is available, without a download.

    Args:
        node_modules: as in `runtime_files`.

    Raises:
        UserError: npm is missing, or the directory lacks a package.
    """
    if node_modules is None and shutil.which("npm") is None:
        raise UserError(
            f"the format 'web' needs npm to download its runtime: install Node.js, or run `{_INSTALL}` elsewhere and "
            "set --export.node_modules to its node_modules"
        )
    for name in PACKAGES if node_modules is not None else ():
        if not (Path(str(node_modules)) / name).is_dir():
            raise UserError(f"export.node_modules {node_modules} has no {name}: run `{_INSTALL}` there")


def runtime_files(node_modules: str | None = None) -> dict[str, bytes]:
    """The files' contents by the names in `FILES`.

    Args:
        node_modules: a node_modules directory with both packages; None: npm downloads them or uses its cache.

    Raises:
        UserError: npm is missing or fails, or the directory lacks a package or has another version of it.
    """
    if node_modules is not None:
        return _read(Path(node_modules))
    check_installed(None)
    with tempfile.TemporaryDirectory(prefix="distilmt-npm-") as temporary:
        _fetch(Path(temporary))
        return _read(Path(temporary))


def _fetch(directory: Path) -> None:
    """Download and unpack both packages in the layout of node_modules, without platform-dependent files."""
    for name, version in PACKAGES.items():
        command = ["npm", "pack", "--silent", "--prefer-offline", f"{name}@{version}"]
        try:
            process = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"`{' '.join(command)}` took more than {_SECONDS} s: check the network, then run again"
            ) from None
        if process.returncode:
            reason = (process.stderr.strip().splitlines() or ["no error message"])[-1]
            raise UserError(
                f"`{' '.join(command)}` failed ({reason}): run `{_INSTALL}` on a machine with a network and set "
                "--export.node_modules to its node_modules"
            )
        _unpack(directory / process.stdout.strip().splitlines()[-1], name, directory)


def _unpack(archive: Path, name: str, directory: Path) -> None:
    paths = [path for package, path in FILES.values() if package == name]
    with tarfile.open(archive) as packed:
        for path in [*paths, "package.json"]:
            file = packed.extractfile(f"package/{path}")
            assert file is not None
            (directory / name / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / name / path).write_bytes(file.read())


def _read(node_modules: Path) -> dict[str, bytes]:
    for name, version in PACKAGES.items():
        path = node_modules / name / "package.json"
        installed_version = read_json(path)["version"] if path.exists() else "no version"
        if installed_version != version:
            raise UserError(
                f"{node_modules} has {installed_version} of {name}, but the format 'web' needs {version}: "
                f"run `{_INSTALL}`"
            )
    return {ours: (node_modules / package / path).read_bytes() for ours, (package, path) in FILES.items()}

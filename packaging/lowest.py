"""pip constraints with the lowest versions that pyproject.toml allows: `python packaging/lowest.py EXTRA …`.

`make test-lowest` tests the lower bounds in an environment of these versions. torch is excluded: its wheels for Linux
include gigabytes of CUDA, so the CPU build of constraints.txt is used instead.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?\s*>=\s*(?P<version>[0-9][^,;\s]*)")
_LEFT_OUT = frozenset({"torch"})


def lowest(extras: list[str]) -> dict[str, str]:
    """Map each package to the lowest version that the dependencies and `extras` allow; of two bounds the higher.

    Args:
        extras: names of `project.optional-dependencies`.
    """
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    bounds: dict[str, str] = {}
    for requirement in wanted:
        match = _REQUIREMENT.match(requirement)
        if match and match["name"] not in _LEFT_OUT:
            bounds[match["name"]] = max(bounds.get(match["name"], "0"), match["version"], key=_order)
    return bounds


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


if __name__ == "__main__":
    for name, version in sorted(lowest(sys.argv[1:]).items()):
        print(f"{name}=={version}")

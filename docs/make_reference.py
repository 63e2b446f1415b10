"""Write docs/reference/configuration.md from the configuration's own dataclasses: python docs/make_reference.py"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from distilmt.config import RunConfig, renamed
from distilmt.config.adapt import AdaptConfig
from distilmt.config.commands import CompressConfig, DemoConfig, PublishConfig, ServeConfig
from distilmt.config.distill import DistillConfig
from distilmt.config.fields import bounds_of, fields, type_name
from distilmt.config.translate import TranslateConfig

OUTPUT = Path(__file__).parent / "reference" / "configuration.md"
RENAMED = OUTPUT.with_name("renamed.md")
HEAD = """# Configuration

Made by `python docs/make_reference.py` from what `distilmt run --help` says. Do not edit.

Every key can stand in a YAML file (`configs/` has examples) or on the command line, which wins:
`distilmt run CONFIG.yaml --labels.beam_size 2`. Lists are given as `--corpus.train a.en a.it`. A run writes the whole
configuration, defaults included, to `config.yaml` in its run directory.
"""

RENAMED_HEAD = """# Renamed keys

Made by `python docs/make_reference.py` from `src/distilmt/config/renamed.py`. Do not edit.

A configuration or flag with a former name is refused with one line that has the name of today. In the directory of a
finished run former names are understood: it is translated with, served and reported, and nothing is computed again.

## Keys of a run
"""


def table(kind: type, prefix: str = "") -> str:
    """A table of the keys of a dataclass that start with `prefix`; without one, of those that are in no group."""
    lines = ["| key | type, and bounds of numbers | default | meaning |", "| --- | --- | --- | --- |"]
    bounds = bounds_of(kind)
    for name, hint, _, text in fields(kind):
        if name.rpartition(".")[0] == prefix:
            interval = f", {bounds[name]}" if name in bounds else ""
            cells = (f"`{name}`", f"{type_name(hint)}{interval}", f"`{default(kind, name)}`", " ".join(text.split()))
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def prefixes(kind: type) -> list[str]:
    """The groups of keys, in the order of their first keys, outer ones before the ones inside."""
    own = {name.rpartition(".")[0] for name, *_ in fields(kind)}
    found: dict[str, None] = {}
    for name, *_ in fields(kind):
        parts = name.split(".")[:-1]
        found.update({".".join(parts[: i + 1]): None for i in range(len(parts))})
    return [prefix for prefix in found if prefix in own]


def former_names() -> str:
    """The page of keys and values that had other names."""
    parts = [RENAMED_HEAD, rows(renamed.RUN)]
    for kind, names in renamed.COMMANDS.items():
        parts += [
            f"## `distilmt {kind.removesuffix('Config').lower()}`\n",
            rows({f"--{a}": f"--{b}" for a, b in names.items()}),
        ]
    values = {f"{key}: {a}": f"{key}: {b}" for key, own in renamed.VALUES["RunConfig"].items() for a, b in own.items()}
    return "\n".join([*parts, "## Values\n", rows(values)])


def rows(names: Mapping[str, str]) -> str:
    """A table of former names and names."""
    return "\n".join(["| before | now |", "| --- | --- |", *(f"| `{a}` | `{b}` |" for a, b in names.items())]) + "\n"


def default(kind: type, name: str) -> str:
    """The default of a key, as YAML has it."""
    value = asdict(kind())
    for part in name.split("."):
        value = value[part]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).replace("\n", r"\n") if value != "" else '""'


def reference() -> str:
    """The whole page."""
    parts = [HEAD, "## `distilmt run`\n", table(RunConfig)]
    for prefix in prefixes(RunConfig):
        parts += [f"### `{prefix}`\n", table(RunConfig, prefix)]
    for command, kind in (
        ("demo", DemoConfig),
        ("distill", DistillConfig),
        ("adapt", AdaptConfig),
        ("compress", CompressConfig),
        ("translate", TranslateConfig),
        ("serve", ServeConfig),
        ("publish", PublishConfig),
    ):
        parts += [f"## `distilmt {command}`\n", table(kind)]
    return "\n".join(parts)


if __name__ == "__main__":
    OUTPUT.write_text(reference(), encoding="utf-8")
    RENAMED.write_text(former_names(), encoding="utf-8")
    print(OUTPUT, RENAMED)

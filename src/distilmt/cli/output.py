"""Flags that all commands share, and the output of results."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from distilmt.utils import progress


def take_flags(arguments: list[str]) -> tuple[list[str], set[str]]:
    """The remaining arguments, and the shared flags among them."""
    flags = {a for a in arguments if a in ("--quiet", "--json", "--health")}
    return [a for a in arguments if a not in flags], flags


_LOGGER = logging.getLogger("distilmt")


def show_progress(flags: set[str]) -> None:
    """Show log messages and progress in the terminal until `hide_progress`, unless a flag disables it."""
    if not flags & {"--quiet", "--json"}:
        from distilmt.cli.terminal import Terminal

        terminal = Terminal()
        _LOGGER.addHandler(terminal)
        _LOGGER.setLevel(logging.INFO)
        progress.set_listener(terminal)


def hide_progress() -> None:
    """Undo `show_progress`."""
    for handler in [handler for handler in _LOGGER.handlers if handler.get_name() == "terminal"]:
        _LOGGER.removeHandler(handler)
    _LOGGER.setLevel(logging.NOTSET)
    progress.set_listener(None)


def show_table(path: Path, flags: set[str]) -> None:
    """Print a stored table, as Markdown or as JSON."""
    if "--json" in flags:
        print(path.with_suffix(".json").read_text(encoding="utf-8"), end="")
    elif "--quiet" not in flags:
        print(path.with_suffix(".md").read_text(encoding="utf-8"), end="")


def show_done(root: Path, step: str, flags: set[str]) -> None:
    """Print the last finished step of a run that has no report yet."""
    if "--json" in flags:
        print(json.dumps({"run_dir": str(root), "done": step}))
    elif "--quiet" not in flags:
        print(f"{root}: done up to {step}; `distilmt run` continues up to the report")


def show_run(root: Path, flags: set[str]) -> None:
    """Print the results of a run."""
    path = root / "report.json"
    if not path.exists():
        return
    report = json.loads(path.read_text(encoding="utf-8"))
    if "--json" in flags:
        print(json.dumps(report, ensure_ascii=False))
    elif "--quiet" not in flags:
        from distilmt.cli.terminal import show_challenges, show_report

        show_report(report, root)
        if "--health" in flags:
            show_challenges(report)

"""Flags that all commands share, and how what was found is told."""

from __future__ import annotations

import json
from pathlib import Path

from distilmt.utils import progress


def take_flags(arguments: list[str]) -> tuple[list[str], set[str]]:
    """The other arguments, and those of these flags that are among them."""
    flags = {a for a in arguments if a in ("--quiet", "--json", "--health")}
    return [a for a in arguments if a not in flags], flags


def show_progress(flags: set[str]) -> None:
    """Let the terminal show progress, unless a flag is against it."""
    if not flags & {"--quiet", "--json"}:
        from distilmt.cli.terminal import Terminal

        progress.set_listener(Terminal())


def show_table(path: Path, flags: set[str]) -> None:
    """Show a table that was written, or as JSON."""
    if "--json" in flags:
        print(path.with_suffix(".json").read_text(encoding="utf-8"), end="")
    elif "--quiet" not in flags:
        print(path.with_suffix(".md").read_text(encoding="utf-8"), end="")


def show_done(root: Path, step: str, flags: set[str]) -> None:
    """Show how far a run has come that has no report of its steps yet."""
    if "--json" in flags:
        print(json.dumps({"run_dir": str(root), "done": step}))
    elif "--quiet" not in flags:
        print(f"{root}: done up to {step}; `distilmt run` goes on to the report")


def show_run(root: Path, flags: set[str]) -> None:
    """Show what a run came to."""
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

"""Arguments of `distilmt cost` and `distilmt plan`: a run, and the command's own flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.bounds import check_bounds
from distilmt.config.commands import CostConfig, PlanConfig
from distilmt.config.flags import integers, own_parser, split_own_flags
from distilmt.config.renamed import check_flags
from distilmt.config.run_loading import load, load_run_dir
from distilmt.utils.errors import UserError


def load_cost(arguments: Sequence[str]) -> tuple[CostConfig, RunConfig, RunConfig | None]:
    """`CONFIG.yaml|RUN_DIR [--calibrate] [--minutes M] [--calibration_run RUN_DIR] [--KEY VALUE …]`.

    Returns:
        The command's options; the run; and the run whose records give the speed of this machine: the one named with
        `--calibration_run`, else the one in the run directory.

    Raises:
        UserError: as `load`; or a directory is not a run directory.
    """
    _check_named(arguments)
    check_flags(CostConfig, arguments)
    parser = own_parser()
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--minutes", type=float, default=CostConfig.minutes)
    parser.add_argument("--calibration_run")
    chosen, flags = split_own_flags(parser, arguments[1:], "--calibrate, --minutes 3 and --calibration_run runs/demo")
    path = Path(arguments[0])
    run = _run_of(path, flags)
    like = Path(chosen.calibration_run or run.run_dir)
    other = load_run_dir(like, []) if chosen.calibration_run or (like / "config.yaml").exists() else None
    config = CostConfig(chosen.calibrate, chosen.minutes, chosen.calibration_run, path.is_dir())
    check_bounds(config)
    return config, run, other


def load_plan(arguments: Sequence[str]) -> tuple[PlanConfig, RunConfig]:
    """`CONFIG.yaml|RUN_DIR [--minutes M] [--min_gain W] [--metric bleu|chrf] … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or the options cannot be planned.
    """
    _check_named(arguments)
    check_flags(PlanConfig, arguments)
    parser = own_parser()
    for name, kind in (
        ("minutes", float),
        ("min_gain", float),
        ("metric", str),
        ("max_steps", int),
        ("price_per_sentence", float),
    ):
        parser.add_argument(f"--{name}", type=kind, default=getattr(PlanConfig, name))
    for name in ("sizes", "seeds"):
        parser.add_argument(f"--{name}", type=integers)
    chosen, flags = split_own_flags(parser, arguments[1:], "--minutes 20, --sizes 500,2000,8000 and --seeds 1,2")
    if chosen.metric not in ("bleu", "chrf"):
        raise UserError(f"--metric {chosen.metric!r} is unknown: use bleu or chrf")
    config = PlanConfig(**vars(chosen))
    check_bounds(config)
    return config, _run_of(Path(arguments[0]), flags)


def _check_named(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0].startswith("-"):
        raise UserError("name a YAML file, such as configs/multi30k-en-de.yaml, or a run directory, such as runs/demo")


def _run_of(path: Path, flags: Sequence[str]) -> RunConfig:
    return load_run_dir(path, flags) if path.is_dir() else load([str(path), *flags])

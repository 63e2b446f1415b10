"""Arguments of `distilmt cost`, `plan` and `trial`: a run, and the command's own flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.commands import CostConfig, PlanConfig, TrialConfig
from distilmt.config.flags import Texts, one_path, split_arguments
from distilmt.config.parsing import parse_values
from distilmt.config.run_loading import load_file, load_run_dir

_CONFIG_OR_RUN = "a YAML file, such as configs/multi30k-en-de.yaml, or a run directory, such as runs/demo"


def load_cost(arguments: Sequence[str]) -> tuple[CostConfig, RunConfig, RunConfig | None]:
    """`CONFIG.yaml|RUN_DIR [--calibrate] [--minutes M] [--calibration_run RUN_DIR] [--KEY VALUE …]`.

    Returns:
        The command's options; the run; and the run whose records give the speed of this machine: the one named with
        `--calibration_run`, else the one in the run directory.

    Raises:
        UserError: as `load`; or a directory is not a run directory.
    """
    given = split_arguments(arguments, CostConfig, RunConfig)
    path = one_path(given, _CONFIG_OR_RUN)
    config = replace(parse_values(CostConfig, {}, given.of(CostConfig)), finished=path.is_dir())
    run = _run_of(path, given.of(RunConfig))
    like = Path(config.calibration_run or run.run_dir)
    other = load_run_dir(like, {}) if config.calibration_run or (like / "config.yaml").exists() else None
    return config, run, other


def load_plan(arguments: Sequence[str]) -> tuple[PlanConfig, RunConfig]:
    """`CONFIG.yaml|RUN_DIR [--minutes M] [--min_gain W] [--metric bleu|chrf] … [--KEY VALUE …]`.

    Raises:
        UserError: as `load`; or the options cannot be planned.
    """
    given = split_arguments(arguments, PlanConfig, RunConfig)
    path = one_path(given, _CONFIG_OR_RUN)
    return parse_values(PlanConfig, {}, given.of(PlanConfig)), _run_of(path, given.of(RunConfig))


def load_trial(arguments: Sequence[str]) -> tuple[TrialConfig, RunConfig]:
    """`CONFIG.yaml|RUN_DIR [--sentences N] [--max_failures PERCENT] [--min_agreement CHRF] [--KEY VALUE …]`.

    Raises:
        UserError: as `load`.
    """
    given = split_arguments(arguments, TrialConfig, RunConfig)
    path = one_path(given, _CONFIG_OR_RUN)
    return parse_values(TrialConfig, {}, given.of(TrialConfig)), _run_of(path, given.of(RunConfig))


def _run_of(path: Path, flags: Texts) -> RunConfig:
    return load_run_dir(path, flags) if path.is_dir() else load_file(path, flags)

"""Inputs of the corpus step: a finished corpus stays valid when the publisher of its data set has a newer version."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from distilmt.config import CorpusConfig
from distilmt.data.sources import fingerprints, published_datasets
from distilmt.pipeline.backups import NEXT, backup_directories
from distilmt.pipeline.settings import named_inputs
from distilmt.pipeline.step_spec import StepSpec
from distilmt.utils.run_dir import StepRecord, read_step

logger = logging.getLogger(__name__)


def with_inputs(spec: StepSpec, config: CorpusConfig) -> StepSpec:
    """The corpus step with the fingerprints of its inputs.

    A finished corpus in the run that differs in nothing else determines the snapshot of published data sets: they are
    neither downloaded nor compared. Otherwise a data set is downloaded if the cache does not have it.

    Args:
        spec: the step as requested, without inputs.
        config: the sources.
    """
    for record in _finished(spec.directory):
        snapshots = {name: record.inputs[name] for name in published_datasets(config) if name in record.inputs}
        requested = replace(spec, inputs=named_inputs(fingerprints(config, snapshots)))
        if not requested.differences(record):
            return requested
    return replace(spec, inputs=named_inputs(fingerprints(config)))


def _finished(directory: Path) -> Iterator[StepRecord]:
    for candidate in (directory, directory.with_name(directory.name + NEXT), *backup_directories(directory)):
        record = read_step(candidate)
        if record is not None:
            yield record


def log_snapshots(record: StepRecord, config: CorpusConfig, directory: Path) -> None:
    """Name the snapshot of every published data set that a finished corpus was read from."""
    for name in published_datasets(config):
        logger.info(
            f"corpus: {name} stays as it was read, snapshot {record.inputs.get(name, '')[:8]}; for the present one "
            f"delete {directory}, or name another run_dir"
        )

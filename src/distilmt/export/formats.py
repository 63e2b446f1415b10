"""The table of export formats: CTranslate2 and the names in `export.formats`, each a module of this package."""

from __future__ import annotations

from importlib import import_module

from distilmt.config import ExportConfig, ExportFormat
from distilmt.config.systems import STUDENT
from distilmt.export.base import Exporter
from distilmt.export.ctranslate2 import CTranslate2Exporter


def exporter(name: ExportFormat) -> Exporter:
    """The exporter of a format: `EXPORTER` of the module with its name."""
    format_exporter: Exporter = import_module(f"distilmt.export.{name}").EXPORTER
    return format_exporter


def student_exporters(config: ExportConfig) -> dict[str, Exporter]:
    """The exporters of a run's student by the names of its exports: CTranslate2's types, then the other formats."""
    exporters: list[Exporter] = [*map(CTranslate2Exporter, config.student), *map(exporter, config.formats)]
    return {f"{STUDENT}{each.suffix}": each for each in exporters}

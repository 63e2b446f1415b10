"""Configuration of every command from YAML files and flags, checked before any work starts."""

from distilmt.config.command_loading import (
    load_adapt,
    load_compress,
    load_demo,
    load_distill,
    load_labels,
    load_publish,
    load_serve,
    load_translate,
)
from distilmt.config.comparison import load_comparison
from distilmt.config.forecast import load_cost, load_plan, load_trial
from distilmt.config.run_loading import load, of_section

__all__ = [
    "load",
    "load_adapt",
    "load_comparison",
    "load_compress",
    "load_cost",
    "load_demo",
    "load_distill",
    "load_labels",
    "load_plan",
    "load_publish",
    "load_serve",
    "load_translate",
    "load_trial",
    "of_section",
]

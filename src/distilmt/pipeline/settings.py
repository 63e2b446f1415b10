"""Settings of steps: the values of the keys that may affect them, by dotted name, also those of older records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distilmt.config import RunConfig
from distilmt.config.systems import STUDENT
from distilmt.pipeline.step import Step, run_keys
from distilmt.utils.run_dir import fingerprint_files

WEIGHTS, NAMES = "weights", "names"
"""Settings besides the keys: the fingerprint of models given as directories, and the names of the requested systems."""
_READ_AS = ("train", "valid", "test", "mono", "source")
"""Kinds of inputs of the corpus, as `data.prepare.inputs` names them."""


def flat(config: RunConfig) -> dict[str, Any]:
    """All values of a configuration by dotted name."""
    return flatten(asdict(config), "")


def flatten(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Nested values by dotted name; a key that holds a dictionary stays whole."""
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, dict) and f"{prefix}{name}" not in run_keys()
        leaves |= flatten(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves


def settings_of(step: Step, config: RunConfig) -> dict[str, Any]:
    """All values that may affect a step, and the fingerprint of the models given to it."""
    values = flat(config)
    settings = {name: values[name] for name in step.keys}
    # Of a tokenizer the files count, as inputs of the steps that read it.
    named = [values[n] for n, key in step.keys.items() if key.effect.holds == "model" and "tokenizer" not in key.steps]
    weights = _weights([path for value in named for path in (value if isinstance(value, list) else [value]) if path])
    return settings | ({WEIGHTS: weights} if weights else {})


def _weights(paths: list[str]) -> str:
    files: list[Path] = []
    for path in map(Path, paths):
        inside = [*sorted(path.glob("*.safetensors")), path / "model.bin", path / "model" / "model.bin"]
        inside += [path / "model.bin.xz"]  # of a packed export
        inside += sorted((path / STUDENT).glob("*.safetensors"))  # of a run
        files += [file for file in ([path] if path.is_file() else inside) if file.is_file()]
    return fingerprint_files(*files) if files else ""


def named_inputs(inputs: Mapping[str, str]) -> dict[str, str]:
    """Inputs of the corpus without their paths: `train:0` for the first file of `corpus.train`."""
    by_position: dict[str, str] = {}
    for key, value in inputs.items():
        kind = key.partition(":")[0]
        position = sum(name.startswith(f"{kind}:") for name in by_position)
        by_position[f"{kind}:{position}" if kind in _READ_AS and ":" in key else key] = value
    return by_position


def former_layout(step: Step, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name; older records left out the name of the section."""
    if any("." in name for name in settings):
        return dict(settings)
    if step.name == "report":
        return {"language": settings.get("language", "en")} | flatten(settings.get("config", {}), "")
    values, top_level = dict(settings), {}
    for name in ("seed", WEIGHTS, "updates"):
        if name in values:
            top_level[name] = values.pop(name)
    if step.name in ("teacher", "references"):
        served = ("prompt", "max_tokens", *(("model",) if isinstance(values.get("model"), str) else ()))
        values["endpoint"] = {name: values.pop(name) for name in served if name in values}
    return top_level | flatten({_renamed(step, name): value for name, value in values.items()}, "")


def _renamed(step: Step, name: str) -> str:
    if name in ("source", "target"):
        return f"corpus.{name}"
    labels = ("max_length_ratio", "max_repetition", "drop_copies", "max_ter", "reverse_keep")
    if name in labels or (step.name == "references" and f"labels.{name}" in run_keys()):
        return f"labels.{name}"
    return "tokenizer.input_sentence_size" if name == "sample" else f"{step.former_section}.{name}"

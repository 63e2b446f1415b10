"""A toy pair of languages, made in code, word for word; and the configuration of a run over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from distilmt.config import ModelConfig

_SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ri", "su")
_ENDINGS = ("n", "r", "th")
_HAN = "山水火木金土日月人口大小中上下左右天地风云雨雪花草树鸟鱼马牛羊虫石田力心手目耳足"
SOURCE_WORDS = [a + b for a in _SYLLABLES for b in _ENDINGS]
LATIN_WORDS = [b[0] + "o" + a + "ta" for a in _SYLLABLES for b in _ENDINGS]
HAN_WORDS = [_HAN[i] + _HAN[(3 * i + 1) % len(_HAN)] for i in range(len(SOURCE_WORDS))]

MICRO = ModelConfig(d_model=32, ffn_dim=64, num_heads=2, encoder_layers=1, decoder_layers=1, max_positions=64)
MICRO_KEYS = {"preset": None, "d_model": 32, "ffn_dim": 64, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}


def pairs(count: int, seed: int = 0, chinese: bool = False) -> tuple[list[str], list[str]]:
    """Distinct sentences and their translations, word for word."""
    random = np.random.default_rng(seed)
    sources: dict[str, str] = {}
    while len(sources) < count:
        chosen = random.integers(0, len(SOURCE_WORDS), random.integers(2, 9))
        source = " ".join(SOURCE_WORDS[i] for i in chosen) + "."
        if chinese:
            sources[source] = "".join(HAN_WORDS[i] for i in chosen) + "。"
        else:
            sources[source] = " ".join(LATIN_WORDS[i] for i in chosen) + "."
    return list(sources), list(sources.values())


def write_corpus(directory: Path, count: int, chinese: bool = False) -> list[str]:
    """Two parallel text files; returns their names."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [directory / "text.en", directory / ("text.zh" if chinese else "text.it")]
    for name, lines in zip(names, pairs(count, chinese=chinese), strict=True):
        name.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [str(name) for name in names]


def run_config(directory: Path, count: int = 400, chinese: bool = False, **changes: Any) -> dict[str, Any]:
    """The configuration of a whole run in a few seconds; `changes` are merged into it."""
    training = {
        "max_steps": 30,
        "batch_tokens": 512,
        "learning_rate": 0.004,
        "warmup_steps": 5,
        "eval_steps": 15,
        "eval_sentences": 10,
        "precision": "fp32",
        "ema_decay": 0.9,
    }
    model = dict(MICRO_KEYS, max_positions=64)
    config: dict[str, Any] = {
        "run_dir": str(directory / "run"),
        "corpus": {
            "source": "en",
            "target": "zh" if chinese else "it",
            "train": write_corpus(directory, count, chinese),
            "valid_size": 20,
            "test_size": 25,
        },
        "tokenizer": {"vocab_size": 400},
        "teacher": {"model": dict(model), "training": dict(training)},
        "labels": {"beam_size": 2, "top_k": 4, "shard_size": 64, "compute_type": "float32"},
        "student": {"model": dict(model, d_model=16, ffn_dim=32), "training": dict(training, max_steps=20)},
        "export": {"teacher": ["float32"], "student": ["int8"]},
        "evaluation": {
            "beam_size": 2,
            "benchmark_sentences": 4,
            "benchmark_rounds": 1,
            "bootstrap_samples": 20,
            "examples": 4,
            "challenge_cases": 4,
        },
    }
    return merged(config, changes)


def merged(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`config` with some keys replaced, as deep as `changes` is nested."""
    whole = dict(config)
    for key, value in changes.items():
        whole[key] = merged(whole[key], value) if isinstance(value, dict) and key in whole else value
    return whole


def write_config(path: Path, config: dict[str, Any]) -> Path:
    """The configuration as a YAML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path

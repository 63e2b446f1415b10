"""A toy pair of languages, made in code: word for word, the second in reverse order where asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn.utils.rnn import pad_sequence

from distilmt.config import ModelConfig
from distilmt.models.marian_forward import Batch

_SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ri", "su")
_ENDINGS = ("n", "r", "th")
_HAN = "山水火木金土日月人口大小中上下左右天地风云雨雪花草树鸟鱼马牛羊虫石田力心手目耳足"
SOURCE_WORDS = [a + b for a in _SYLLABLES for b in _ENDINGS]
LATIN_WORDS = [b[0] + "o" + a + "ta" for a in _SYLLABLES for b in _ENDINGS]
HAN_WORDS = [_HAN[i] + _HAN[(3 * i + 1) % len(_HAN)] for i in range(len(SOURCE_WORDS))]

MICRO = ModelConfig(d_model=32, ffn_dim=64, num_heads=2, encoder_layers=1, decoder_layers=1, max_positions=64)
MICRO_KEYS = {"preset": None, "d_model": 32, "ffn_dim": 64, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}


def padded(batch: Batch, pad: int) -> dict[str, torch.Tensor]:
    """A batch as transformers wants it. Logits [B, T] of its words, in the batch's order: `logits[target_mask]`."""
    lengths = [words.sentences.bincount().tolist() for words in (batch.source, batch.target)]
    columns = ((batch.source.ids, lengths[0], pad), (batch.decoder_input, lengths[1], pad))
    columns += ((torch.ones_like(batch.source.ids), lengths[0], 0), (torch.ones_like(batch.target.ids), lengths[1], 0))
    found = [pad_sequence(list(c.split(sizes)), batch_first=True, padding_value=value) for c, sizes, value in columns]
    return dict(zip(("input_ids", "decoder_input_ids", "attention_mask", "target_mask"), found, strict=True))


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


def road(directory: Path, count: int = 400, chinese: bool = False, **changes: Any) -> dict[str, Any]:
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


def distilmt(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "distilmt", *map(str, arguments)],
        capture_output=True,
        timeout=240,
        env=environment(),
        check=False,
        **settings,
    )


def environment() -> dict[str, str]:
    """A process's environment without network, on one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def refused(found: subprocess.CompletedProcess[bytes]) -> str:
    """The one line a command told when it refused; fails if it did not refuse in the agreed way."""
    told = found.stderr.decode()
    assert found.returncode == 2, told[-2000:]
    assert told.startswith("distilmt: error: ") and told.count("\n") == 1 and "Traceback" not in told, told[-2000:]
    return told

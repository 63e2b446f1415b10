"""The teacher, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, MAX_THREADS, MAX_TOP_K, bounded
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.config.export import ComputeType
from distilmt.config.training import ModelConfig, TrainingConfig
from distilmt.utils.errors import UserError

_OWN_KEYS = {"model": "model", "messages": "prompt", "max_tokens": "max_tokens"}


@dataclass
class EndpointConfig:
    """How a teacher that answers over HTTP is asked. All answers are kept: none is paid for twice."""

    model: str | None = None
    """Name of the model, as the endpoint knows it (OpenAI's API)."""
    prompt: str = (
        "Translate the following text from {source_name} to {target_name}. "
        "Answer with the translation alone, on one line.\n\n{text}"
    )
    """What a language model is told; {source_name}, {target_name}, {source}, {target} and {text} are filled in."""
    max_tokens: int = bounded(512, 1, 1_000_000)
    """Most tokens of an answer; one that is cut off there is not used."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of each request (`{top_p: 0.9, reasoning_effort: low}`); null leaves out one that is sent else."""
    api_key_env: str | None = config_field(None, no_effect())
    """Environment variable that holds the API key; the key itself is written nowhere."""
    max_concurrency: int = bounded(8, 1, 1024, no_effect())
    """Requests under way at once."""
    requests_per_minute: float = bounded(0.0, 0, 1e9, no_effect())
    """Most requests a minute; 0 sets no limit."""
    max_retries: int = bounded(8, 0, 1000, no_effect())
    """How often a request that failed in passing is made again, each time after a longer wait."""
    timeout: float = bounded(120.0, 0.1, 86_400, no_effect())
    """Seconds an answer is waited for."""
    input_price: float = bounded(0.0, 0, 1e9, no_effect())
    """Price of a million tokens of prompts; what was spent is counted, in the same currency."""
    output_price: float = bounded(0.0, 0, 1e9, no_effect())
    """Price of a million tokens of answers."""
    budget: float = bounded(0.0, 0, 1e12, no_effect())
    """Stop when so much was spent; 0 sets no limit."""


def _served(teacher: Mapping[str, Any]) -> bool:
    return bool(teacher["url"])


def _trained(teacher: Mapping[str, Any]) -> bool:
    return not (teacher["path"] or teacher["command"] or teacher["url"])


_TRAINED = affects("teacher", when=_trained)


@dataclass
class TeacherConfig:
    """The big model: trained here, or any existing one."""

    path: str | None = None
    """A Hugging Face seq2seq model (directory or hub name), CTranslate2 directory or .argosmodel to use instead."""
    command: str | None = None
    """A program that reads lines and writes a translation of each, to use instead (`apertium -u eng-spa`)."""
    url: str | None = None
    """A server to ask instead (`http://localhost:8000/v1`, `http://localhost:5000`)."""
    api: Literal["openai", "libretranslate"] = config_field("openai", affects(when=_served))
    """What the server at `url` speaks: OpenAI's chat completions, or LibreTranslate's API."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig, metadata=affects(when=_served))
    """How it is asked."""
    source_prefix: str | None = config_field(None, affects(when=lambda teacher: bool(teacher["path"])))
    """Text put before every source (`translate English to German: `); null takes what a T5 or MADLAD model wants."""
    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="teacher"), metadata=_TRAINED)
    """Shape of a teacher trained here."""
    training: TrainingConfig = field(default_factory=TrainingConfig, metadata=_TRAINED)
    """How a teacher is trained here."""

    @property
    def named(self) -> str | None:
        """The existing teacher; None where one is trained."""
        return self.path or self.command or self.url

    def __post_init__(self) -> None:
        named = [key for key in ("path", "command", "url") if getattr(self, key)]
        if len(named) > 1:
            raise UserError(f"teacher.{named[0]} and teacher.{named[1]} are both set: name one teacher")
        if self.url and self.api == "openai" and not self.endpoint.model:
            raise UserError("teacher.url is set without teacher.endpoint.model: name the model the endpoint should use")
        if reserved := sorted({"model", "messages", "max_tokens"} & self.endpoint.extra.keys()):
            raise UserError(
                f"teacher.endpoint.extra has {reserved[0]!r}: set teacher.endpoint.{_OWN_KEYS[reserved[0]]}"
            )
        if self.url and "{text}" not in self.endpoint.prompt:
            raise UserError("teacher.endpoint.prompt has no {text}: say where the sentence goes")


@dataclass
class LabelConfig:
    """What the teacher is asked, and what is kept of its answers."""

    beam_size: int = bounded(4, 1, MAX_BEAM, affects("labels", "references"))
    """Beam of the teacher's translations."""
    num_hypotheses: int = bounded(1, 0, MAX_BEAM)
    """Translations kept per sentence, best first; 0 lets the teacher translate nothing."""
    sampling_temperature: float = bounded(0.0, 0, 100)
    """Draw the translations from the teacher's distribution at this temperature; 0 searches with the beam."""
    length_penalty: float = bounded(1.0, -10, 10, affects("labels", "references"))
    """CTranslate2's exponent of the length by which scores are divided."""
    compute_type: ComputeType = field(default="int8", metadata=affects("labels", "references"))
    """CTranslate2 type the teacher decodes in; int8 is the fastest, float32 is exact."""
    top_k: int = bounded(8, 0, MAX_TOP_K)
    """Log-probabilities kept per target position for word-level distillation; 0 keeps none."""
    score_on: Literal["hypothesis", "reference", "both"] = config_field(
        "hypothesis", affects(when=lambda own: own["top_k"] > 0)
    )
    """Whose prefixes the teacher's distributions are computed on."""
    ensemble: list[str] = field(default_factory=list)
    """More teachers, Marian directories with the same pieces: distributions are averaged, translations pooled."""
    max_sentences: int | None = bounded(None, 1, 10**12, affects("labels", "references"))
    """Most training sentences labelled, drawn at random; null labels all."""
    shard_size: int = bounded(4000, 1, 10_000_000, no_effect(resumed=True))
    """Sentences per shard: a kill loses at most one shard."""
    max_length_ratio: float = bounded(3.0, 1, 1_000_000, affects("student"))
    """Hypotheses this many times longer or shorter than their source (in tokens, 10 added) are not trained on."""
    max_repetition: int = bounded(8, 1, MAX_COUNT, affects("student"))
    """Hypotheses with a phrase repeated more than this many times in a row are not trained on."""
    drop_identical: bool = config_field(True, affects("student"))
    """Hypotheses that only repeat their source are not trained on, unless the reference does too."""
    max_ter: float | None = bounded(None, 0, 1_000_000, affects("student"))
    """Hypotheses further from their reference than this (TER, %) are not trained on; null keeps all."""
    rerank: Literal["none", "oracle", "mbr"] = config_field("none", affects("selection"))
    """Hypothesis trained on: the teacher's best, the nearest to the reference, or the likest to the others (MBR)."""
    rerank_metric: Literal["chrf", "bleu"] = config_field(
        "chrf", affects("selection", when=lambda own: own["rerank"] != "none")
    )
    """Sentence score by which `oracle` and `mbr` choose."""
    n_best: int = bounded(1, 1, MAX_BEAM, affects("selection"))
    """Distinct hypotheses of a sentence that are trained on, each as a pair of its own, in the order of `rerank`."""

    backward_model: str | None = config_field(None, affects("selection"))
    """A Marian directory of the other direction: tells how well the source can be guessed from a hypothesis."""
    backward_keep_fraction: float = bounded(
        0.95, 0.001, 1, affects("student", when=lambda labels: labels["backward_model"] is not None)
    )
    """Share of the hypotheses that is trained on, those that `backward_model` likes best."""
    executor: Literal["local", "ray"] = config_field("local", no_effect())
    """Who labels: this process, or workers of a Ray cluster (needs the extra `ray`). The labels are the same."""
    ray_address: str = config_field("local", no_effect())
    """Ray cluster: `local` starts one of this machine, `auto` finds the one it belongs to, else HOST:PORT."""
    max_workers: int = bounded(0, 0, 100_000, no_effect())
    """Most shards labelled at once on Ray; 0 takes as many as the cluster has room for, now and later."""
    num_cpus: int = bounded(1, 1, MAX_THREADS, no_effect())
    """Cores of each worker on Ray."""
    num_gpus: float | None = bounded(None, 0, 64, no_effect())
    """GPUs of each worker on Ray (0.5: two share one); null gives each one if the cluster has any."""

    @property
    def selects(self) -> bool:
        """Whether finished labels are gone through once more: another hypothesis chosen, or a score added."""
        return self.rerank != "none" or self.n_best > 1 or self.backward_model is not None

"""The teacher and its labels."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, MAX_THREADS, MAX_TOP_K, Metadata, bounded
from distilmt.config.choices import METRIC_RANKINGS, Metric, Rerank, ResponseFault
from distilmt.config.effects import affects, config_field, no_effect
from distilmt.config.export import ComputeType
from distilmt.config.hub_names import plain_name
from distilmt.config.training import ModelConfig, TrainingConfig
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping, JsonObject

_REQUEST_FIELD = "request_field"


def _fills(name: str) -> Metadata:
    """Metadata of a key from which a field of every request to OpenAI's API is filled."""
    return {_REQUEST_FIELD: name}


@dataclass
class EndpointConfig:
    """Requests to a teacher over HTTP. All responses are stored, so that none is paid for twice."""

    model: str | None = config_field(None, _fills("model"))
    """Name of the model at the endpoint (OpenAI's API)."""
    prompt: str = config_field(
        "Translate the following text from {source_name} to {target_name}. "
        "Answer with the translation alone, on one line.\n\n{text}",
        _fills("messages"),
    )
    """Prompt of a language model; {source_name}, {target_name}, {source}, {target} and {text} are filled in."""
    max_tokens: int = bounded(512, 1, 1_000_000, _fills("max_tokens"))
    """Maximum tokens of a response (per line, if it has several); a truncated response is not used."""
    system: str | None = None
    """System message of a language model, with the placeholders of `prompt` except {text}; null: none is sent."""
    few_shot: int = bounded(0, 0, 100)
    """Sentence pairs of the training text that stand before every request as examples; needs parallel text."""
    lines_per_request: int = bounded(1, 1, 200)
    """Numbered lines in one request; if the numbers of a response do not match, its lines are requested one by one."""
    lines_prompt: str = (
        "Translate each of the following {count} numbered lines from {source_name} to {target_name}. "
        "Answer with the same {count} numbered lines, each with its translation alone.\n\n{text}"
    )
    """Prompt of several lines; {count} is their number, and {text} the numbered lines."""
    logprobs: bool = False
    """Request log-probabilities of tokens: their mean is the score of a translation (`labels.rerank: likelihood`)."""
    accept: list[ResponseFault] = field(default_factory=list)
    """Faults of responses that are accepted: `copied`, `declined`, `obeyed`, `other_script`, `other_language`,
    `explained`, `other_length`."""
    extra: JsonObject = field(default_factory=dict)
    """Additional fields of each request (`{top_p: 0.9, reasoning_effort: low}`); null removes a default field."""
    api_key_env: str | None = config_field(None, no_effect())
    """Environment variable with the API key; the key itself is never written to a file."""
    max_concurrency: int = bounded(8, 1, 1024, no_effect())
    """Maximum concurrent requests."""
    requests_per_minute: float = bounded(0.0, 0, 1e9, no_effect())
    """Maximum requests per minute; 0: no limit."""
    max_retries: int = bounded(8, 0, 1000, no_effect())
    """Maximum retries of a request after a temporary failure, each after a longer wait."""
    timeout: float = bounded(120.0, 0.1, 86_400, no_effect())
    """Timeout of a request in seconds."""
    input_price: float = bounded(0.0, 0, 1e9, no_effect())
    """Price per million prompt tokens; the cost is counted in the same currency."""
    output_price: float = bounded(0.0, 0, 1e9, no_effect())
    """Price per million response tokens."""
    budget: float = bounded(0.0, 0, 1e12, no_effect())
    """Stop when the cost reaches this amount; 0: no limit."""


def _served(teacher: JsonMapping) -> bool:
    return bool(teacher["url"])


def _trained(teacher: JsonMapping) -> bool:
    return not (teacher["path"] or teacher["command"] or teacher["url"])


_TRAINED = affects("teacher", when=_trained)


@dataclass
class TeacherConfig:
    """The large model: trained by the run, or any existing model."""

    path: str | None = config_field(None, affects(holds="model"))
    """A Hugging Face seq2seq model (directory or hub name), CTranslate2 directory or .argosmodel to use instead."""
    command: str | None = None
    """A program to use instead: it reads lines and writes the translation of each (`apertium -u eng-spa`)."""
    url: str | None = None
    """A server to use instead (`http://localhost:8000/v1`, `http://localhost:5000`)."""
    api: Literal["openai", "libretranslate"] = config_field("openai", affects(when=_served))
    """API of the server at `url`: OpenAI's chat completions, or LibreTranslate's API."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig, metadata=affects(when=_served))
    """Settings of the requests to `url`."""
    source_prefix: str | None = config_field(None, affects(when=lambda teacher: bool(teacher["path"])))
    """Prefix of every source (`translate English to German: `); null: the prefix that a T5 or MADLAD model needs."""
    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="teacher"), metadata=_TRAINED)
    """Shape of a teacher trained by the run."""
    training: TrainingConfig = field(default_factory=TrainingConfig, metadata=_TRAINED)
    """Training of a teacher trained by the run."""
    initialization: str | None = config_field(None, affects("teacher", when=_trained, holds="model"))
    """A trained model of that shape (directory) whose weights the training starts from; null: random weights."""

    @property
    def named(self) -> str | None:
        """The existing teacher; None if a teacher is trained."""
        return self.path or self.command or self.url

    def __post_init__(self) -> None:
        self.path = self.path and plain_name(self.path, "teacher.path")
        named = [key for key in ("path", "command", "url") if getattr(self, key)]
        if len(named) > 1:
            raise UserError(f"teacher.{named[0]} and teacher.{named[1]} are both set: name one teacher")
        if self.url and self.api == "openai" and not self.endpoint.model:
            raise UserError("teacher.url is set without teacher.endpoint.model: name the model the endpoint should use")
        for key in fields(EndpointConfig):
            if (name := key.metadata.get(_REQUEST_FIELD)) in self.endpoint.extra:
                raise UserError(f"teacher.endpoint.extra has {name!r}: set teacher.endpoint.{key.name}")
        for name in ("prompt", "lines_prompt") if self.url else ():
            if "{text}" not in getattr(self.endpoint, name):
                raise UserError(
                    f"teacher.endpoint.{name} has no {{text}}: add {{text}} at the position of the sentence"
                )


@dataclass
class LabelConfig:
    """Labels: what the teacher computes, and which of its outputs are stored and used."""

    beam_size: int = bounded(4, 1, MAX_BEAM, affects("labels", "references", in_label_header=True))
    """Beam size of the teacher's translations."""
    num_hypotheses: int = bounded(1, 0, MAX_BEAM, affects(in_label_header=True))
    """Translations stored per sentence, best first; 0: the teacher translates nothing."""
    sampling_temperature: float = bounded(0.0, 0, 100, affects(in_label_header=True))
    """Sample the translations from the teacher's distribution at this temperature; 0 uses beam search."""
    length_penalty: float = bounded(1.0, -10, 10, affects("labels", "references", in_label_header=True))
    """Exponent of the length that divides the scores (as in CTranslate2)."""
    compute_type: ComputeType = field(default="int8", metadata=affects("labels", "references", in_label_header=True))
    """CTranslate2 type the teacher decodes in; int8 is the fastest, float32 is exact."""
    top_k: int = bounded(8, 0, MAX_TOP_K)
    """Log-probabilities stored per target position for token-level distillation; 0 stores none."""
    score_on: Literal["hypothesis", "reference", "both"] = config_field(
        "hypothesis", affects(when=lambda own: own["top_k"] > 0, in_label_header=True)
    )
    """Target sequence of forced decoding, at whose positions the teacher's distributions are computed."""
    ensemble: list[str] = field(default_factory=list, metadata=affects(holds="model"))
    """Additional teachers (Marian directories, same vocabulary): distributions are averaged, translations pooled."""
    max_sentences: int | None = bounded(None, 1, 10**12, affects("labels", "references"))
    """Maximum training sentences to label, sampled at random; null labels all."""
    shard_size: int = bounded(4000, 1, 10_000_000, no_effect(resumed=True))
    """Sentences per shard: an interruption loses at most one shard."""
    max_length_ratio: float = bounded(3.0, 1, 1_000_000, affects("student"))
    """Hypotheses this many times longer or shorter than their source (in tokens, 10 added) are not trained on."""
    max_repetition: int = bounded(8, 1, MAX_COUNT, affects("student"))
    """Hypotheses with a phrase repeated more than this many times in a row are not trained on."""
    drop_identical: bool = config_field(True, affects("student"))
    """Hypotheses identical to their source are not trained on, unless the reference is identical too."""
    max_ter: float | None = bounded(None, 0, 1_000_000, affects("student"))
    """Hypotheses further from their reference than this (TER, %) are not trained on; null keeps all."""
    rerank: Rerank = config_field("none", affects("selection"))
    """Hypothesis to train on: the teacher's best, the nearest to the reference, the nearest to the others (MBR), or the
    one with the best score, its mean log-probability (for samples)."""
    rerank_metric: Metric = config_field(
        "chrf", affects("selection", when=lambda own: own["rerank"] in METRIC_RANKINGS)
    )
    """Sentence-level metric of `oracle` and `mbr`."""
    n_best: int = bounded(1, 1, MAX_BEAM, affects("selection"))
    """Distinct hypotheses per sentence to train on, each as its own pair, in the order of `rerank`."""

    backward_model: str | None = config_field(None, affects("selection", holds="model"))
    """A Marian directory of the opposite direction: scores how well a hypothesis predicts its source."""
    backward_keep_fraction: float = bounded(
        0.95, 0.001, 1, affects("student", when=lambda labels: labels["backward_model"] is not None)
    )
    """Fraction of the hypotheses to train on: those with the best backward score."""
    executor: Literal["local", "ray"] = config_field("local", no_effect())
    """Where labeling runs: this process, or workers of a Ray cluster (extra `ray`). The labels are the same."""
    ray_address: str = config_field("local", no_effect())
    """Ray cluster: `local` starts one on this machine, `auto` finds the cluster of this machine, else HOST:PORT."""
    max_workers: int = bounded(0, 0, 100_000, no_effect())
    """Maximum shards labeled in parallel on Ray; 0: as many as the cluster has room for, also when it grows."""
    num_cpus: int = bounded(1, 1, MAX_THREADS, no_effect())
    """CPU cores per Ray worker."""
    num_gpus: float | None = bounded(None, 0, 64, no_effect())
    """GPUs per Ray worker (0.5: two workers share one); null: one each if the cluster has any."""

    @property
    def selects(self) -> bool:
        """Whether a selection pass runs over finished labels: it chooses hypotheses or adds a score."""
        return self.rerank != "none" or self.n_best > 1 or self.backward_model is not None

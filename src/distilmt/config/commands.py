"""Options of the commands other than `run`: one dataclass each, whose fields are the flags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from distilmt.config import ComputeType
from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, MAX_SEED, MAX_THREADS, bounded, bounds
from distilmt.config.choices import CompressionGoal, ConstraintReference, Metric, ReportLanguage, Rerank
from distilmt.config.effects import affects, config_field
from distilmt.config.failure_limits import FAILURE_LIMITS, parse_failure_limits
from distilmt.config.fields import FLAG, POSITIONAL, Flag
from distilmt.config.hub_names import plain_name
from distilmt.utils.errors import UserError
from distilmt.utils.pretrained import teacher_name


@dataclass
class CompressConfig:
    """Options of a compression."""

    path: str = field(default="", metadata=POSITIONAL)
    """A run directory with a trained student."""
    max_drop: float = bounded(0.5, 0, 100)
    """Quality constraint: maximum loss on the validation sentences, in points of `metric`."""
    metric: Metric = "bleu"
    """Metric of `max_drop`."""
    relative_to: ConstraintReference = "teacher"
    """Reference system of `max_drop`: the teacher, or the uncompressed student; both in float32 at the run's beam."""
    max_failures: list[str] = field(default_factory=list, metadata=FAILURE_LIMITS)
    """Second constraint: maximum share of failures on the challenge sets, of validation sentences: `0.05` for all sets,
    `capitals=0.2` for one; empty: no limit."""
    objective: CompressionGoal = "smallest"
    """Which model to choose among those that meet the constraint."""
    prune_layers: bool = True
    """Try to remove layers; the first ones removed are those whose removal raises the cross-entropy least."""
    ffn_keep_fraction: float = bounded(0.5, 0.01, 1)
    """Try to keep only this fraction of the feed-forward units, those that add most to the states; 1 keeps all."""
    vocab_min_count: int = bounded(1, 0, MAX_COUNT)
    """Remove tokens with fewer occurrences in the training text; 0 keeps all."""
    rounds: int = bounded(3, 0, 100)
    """Maximum number of successive pruning rounds."""
    recovery_steps: int | None = bounded(None, 1, MAX_COUNT)
    """Training updates after every pruning, on the student's labels; null: a quarter of the student's updates."""
    recovery_lr_scale: float = bounded(0.1, 1e-6, 10)
    """Learning rate of this training, as a fraction of the student's; if it is too high, the student forgets."""
    qat_steps: int | None = bounded(None, 0, MAX_COUNT)
    """Final quantization-aware updates at the fewest `bits`; null: a quarter of the student's updates, 0: none."""
    compute_types: list[ComputeType] = field(default_factory=lambda: ["float32", "int8_float16"])
    """CTranslate2 types to try; `int8_float16` stores all weights that are not int8 in 16 bits on disk."""
    xz: bool = True
    """Pack the files (.xz): distilmt unpacks them in memory; for other programs use `unxz`."""
    bits: list[int] = field(default_factory=lambda: [8, 6, 4], metadata=bounds(3, 8))
    """Bits that int8 weights are rounded to, 3 to 8. The computation stays int8; the packed files get smaller."""
    beam_sizes: list[int] = field(default_factory=lambda: [4, 1], metadata=bounds(1, MAX_BEAM))
    """Beam sizes to try."""
    shortlist: bool = False
    """Try a lexical shortlist (needs the extra `shortlist`)."""
    baseline: str | None = None
    """Directory of a student trained without a teacher, shown in the budget for comparison; null: the run's own."""
    jobs: int = bounded(1, 1, MAX_THREADS)
    """Number of parallel trainings, each on its share of the cores."""

    def __post_init__(self) -> None:
        self.failure_limits = parse_failure_limits(self.max_failures)


@dataclass
class CostConfig:
    """Options of the prediction besides the keys of a run."""

    calibrate: bool = False
    """Measure this machine first with short runs of this configuration; the rates are stored."""
    minutes: float = bounded(3.0, 0.5, 1e6)
    """Approximate time limit of the calibration, in minutes."""
    calibration_run: str | None = None
    """A run directory whose records give the speed of this machine, instead of the last calibration."""
    finished: bool = field(default=False, metadata={FLAG: Flag(hidden=True)})
    """Whether a run directory was named: the report then shows measured values next to the predicted ones."""


@dataclass
class LabelsConfig:
    """Options of the actions on label stores."""

    action: Literal["check", "info", "merge", "split", "select"] = field(
        default="check", metadata={FLAG: Flag(positional=True)}
    )
    """check, info, merge, split or select."""
    paths: list[str] = field(default_factory=list, metadata=POSITIONAL)
    """Label stores: the directories named `labels` of runs."""
    prefix_ids: bool = False
    """merge: put `1:` in front of the ids of the first store, `2:` of the second, and so on."""
    parts: int | None = bounded(None, 2, 10_000)
    """split: number of parts, of about the same number of sentences; null: 2."""
    first: int | None = bounded(None, 1, 10**12)
    """split: number of sentences of the first part; null splits evenly."""
    ids: str | None = None
    """split: file with the ids of the sentences of the first part, one per line."""
    rerank: Rerank = "none"
    """select: which hypothesis is put first (see `labels.rerank`)."""
    rerank_metric: Metric = "chrf"
    """select: sentence-level metric of `oracle` and `mbr`."""
    n_best: int = bounded(1, 1, MAX_BEAM)
    """select: number of distinct hypotheses per sentence, each in its own row."""
    backward_model: str | None = None
    """select: a Marian directory of the opposite direction, which scores the selected hypotheses."""
    teachers: list[str] = field(default_factory=list)
    """select: directories of teacher and ensemble, if the store has token targets; default: the one next to it."""
    target: str = "en"
    """select: target language, for the word tokenization of `rerank_metric: bleu`."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.parts, self.first, self.ids))) > 1:
            raise UserError("--parts, --first and --ids exclude each other: give only one")


@dataclass
class PlanConfig:
    """Options of the plan besides the keys of a run."""

    minutes: float = bounded(20.0, 0.1, 1e6)
    """Approximate time limit for labeling subsets and training on them; corpus and teacher come before it."""
    min_gain: float = bounded(0.3, 0.001, 100, affects("report"))
    """Minimum gain, in points, that justifies doubling the text."""
    metric: Metric = config_field("bleu", affects("report"))
    """Metric of `min_gain`, on the validation sentences."""
    sizes: list[int] | None = field(default=None, metadata=bounds(1, 10**12))
    """Sentences per subset, at least three sizes; null: 1/64 to 1/4 of the text, or as the minutes allow."""
    max_steps: int | None = bounded(None, 2, MAX_COUNT)
    """Updates of every training; null: as many as the minutes allow, at most those of the run's student."""
    seeds: list[int] | None = field(default=None, metadata=bounds(0, MAX_SEED))
    """One training per subset and seed; null: the seed of the run."""
    price_per_sentence: float | None = bounded(None, 0, 1e9, affects("report"))
    """Price of the teacher per sentence, in any currency; null leaves money out."""

    def __post_init__(self) -> None:
        if self.sizes is not None and len(set(self.sizes)) < 3:
            raise UserError(
                f"--sizes {','.join(map(str, self.sizes))}: a curve needs three different sizes, such as 500,2000,8000"
            )


@dataclass
class TrialConfig:
    """Options of the trial besides the keys of a run."""

    sentences: int = bounded(100, 1, 100_000)
    """Sentences that the teacher translates, of those that the run labels."""
    max_failures: float = bounded(5.0, 0, 100)
    """Maximum share of sentences without a label, in per cent."""
    min_agreement: float = bounded(30.0, 0, 100)
    """Minimum chrF with the references, or of two samples without references."""


@dataclass
class DemoConfig:
    """Options of the demo."""

    task: Literal["translate", "images", "speech", "classify"] = "translate"
    """`images`: the student reads pictures of the text (needs the extra `images`); `speech`: it hears the text (extra
    `speech`, and espeak-ng); `classify` distills classifiers of Debian's package descriptions (extra `classify`)."""
    pair: str = "en-it"
    """Language pair, source first: en-it, en-da, en-fr, en-de, en-pt_BR, en-ja, … (all targets that Debian has)."""
    minutes: float | None = bounded(None, 0.1, 1e6)
    """Time limit of the whole run; more minutes give a better translator; null: 6, 15 for `images`, 20 for
    `speech` or if a teacher is trained."""
    run_dir: str | None = None
    """Directory; default: runs/demo for en-it, runs/demo-PAIR for others, runs/demo-TASK for `images` and `speech`."""
    train: list[str] = field(default_factory=list)
    """Your own training text: two parallel files, or one .tsv, .jsonl or .parquet file; each may end in .gz."""
    valid: list[str] = field(default_factory=list)
    """Your own validation text; if empty, it is split off the training text."""
    test: list[str] = field(default_factory=list)
    """Your own test text; if empty, it is split off the training text."""
    dataset: str | None = None
    """`debian` or `hf:NAME[:CONFIG]`; default: Debian's package descriptions if apt is installed, else opus-100."""
    teacher: str | None = None
    """A Hugging Face seq2seq directory or hub name to distill; `demo`: the teacher that is installed with distilmt, the
    default for en-it from Debian; `train`, the default otherwise, trains a teacher."""
    seed: int = bounded(1, 0, MAX_SEED)
    """Seed of all random numbers."""
    report_language: ReportLanguage = "en"
    """Language of the report."""

    def __post_init__(self) -> None:
        self.teacher = self.teacher and teacher_name(plain_name(self.teacher, "teacher"))


@dataclass
class ServeConfig:
    """Options of the server."""

    models: list[str] = field(default_factory=list, metadata=POSITIONAL)
    """Exported models, run directories, or models of the hub (`hf:OWNER/NAME`); `en-it=MODEL` sets the languages."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on all addresses of this machine."""
    port: int = bounded(5000, 0, 65535)
    """Port; 0 takes a free one."""
    system: str = "student-int8"
    """Which export of a run directory translates."""
    beam_size: int | None = bounded(None, 1, MAX_BEAM)
    """Beam size; 1 is greedy; null: the beam the model was compressed for, else 4."""
    threads: int = bounded(0, 0, MAX_THREADS)
    """Batches translated in parallel, one thread each; 0: one per core."""
    memory: str = "2GB"
    """Maximum size of all loaded models, in bytes; the least recently used are unloaded first."""
    cascade_threshold: float | None = bounded(None, -1000, 0)
    """Use the run's teacher if the student's score (log-probability per token) is below this; null: never."""
    glossary: list[str] = field(default_factory=list)
    """Glossary files, as for `distilmt translate`; with several language pairs write `en-it=FILE`."""
    keep: list[str] = field(default_factory=list, metadata={FLAG: Flag(literal=True, repeated=True)})
    """Regular expressions of spans in documents and texts to copy unchanged, besides placeholders and code."""
    batch_timeout_ms: float = bounded(3.0, 0, 1000)
    """Batching window in milliseconds: how long a sentence may wait for others, while others arrive."""
    batch_tokens: int = bounded(1024, 1, 1_000_000)
    """Tokens per batch, including padding."""
    char_limit: int = bounded(20000, 1, MAX_COUNT)
    """Maximum characters per text."""
    batch_limit: int = bounded(256, 1, 1_000_000)
    """Maximum texts per request."""
    alternatives_limit: int = bounded(8, 0, MAX_BEAM)
    """Maximum alternatives."""
    body_limit: str = "10MB"
    """Maximum bytes per request, including files."""
    document_chars: int = bounded(1_000_000, 1, MAX_COUNT)
    """Maximum characters to translate per document."""
    document_seconds: float = bounded(120.0, 0.1, 86400)
    """Time limit per document, picture or recording in seconds, for reading and translating."""
    picture_lines: int = bounded(2000, 1, MAX_COUNT)
    """Maximum lines of text to translate per picture or PDF."""
    recording_seconds: float = bounded(3600.0, 0.1, 1e6)
    """Maximum length of a recording in seconds."""
    max_queue_size: int = bounded(20000, 1, 10_000_000)
    """Maximum sentences in the queue; further requests are rejected with 503."""
    timeout: float = bounded(30.0, 0.1, 3600)
    """Time limit in seconds for receiving a request, and again for the response."""
    max_connections: int = bounded(4096, 1, 1_000_000)
    """Maximum open connections."""
    req_limit: int = bounded(0, 0, MAX_COUNT)
    """Maximum texts per client (by API key, else by address) and minute; 0: no limit."""
    api_keys: str | None = None
    """File with one API key per line; the variable DISTILMT_API_KEYS adds more, separated by commas."""
    documents: bool = True
    """Whether documents are translated."""
    ui: bool = True
    """Whether the web page is served."""
    public_url: str = ""
    """Public address of the server, such as https://example.org; needed for links behind a proxy."""
    cors_origin: str = ""
    """Web origin whose pages may send requests (CORS), such as https://example.org; *: any, empty: none."""
    trusted_proxies: str = ""
    """Addresses of trusted reverse proxies (X-Forwarded-For is used), separated by commas."""

    def __post_init__(self) -> None:
        self.memory_bytes = parse_size(self.memory, "memory")
        self.body_bytes = parse_size(self.body_limit, "body_limit")


@dataclass
class PublishConfig:
    """Options of the upload to the Hugging Face hub."""

    path: str = field(default="", metadata=POSITIONAL)
    """A run directory."""
    repository: str = field(default="", metadata=POSITIONAL)
    """Name on the hub: `OWNER/NAME`; it is created if it does not exist."""
    system: str = "student-int8"
    """Which export of the run is published; `compressed` is the result of `distilmt compress`."""
    private: bool = False
    """Whether a new repository is private."""
    license: str | None = None
    """License of the model (`cc-by-4.0`); null: that of teacher and text (`export.licenses`), if both are the same."""


def parse_size(text: str, name: str) -> int:
    """Number of bytes from `2GB`, `500MB`, `64KB` or a number.

    Raises:
        UserError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", text.strip(), re.IGNORECASE)
    if not match:
        raise UserError(f"{name} is {text!r}: write it like 2GB, 500MB or 64KB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** ["", "k", "m", "g"].index(match[2].lower()))

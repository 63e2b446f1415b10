"""What commands other than `run` are told: a dataclass each, whose fields are their flags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from distilmt.config import ComputeType, RunConfig
from distilmt.config.bounds import MAX_BEAM, MAX_COUNT, MAX_SEED, MAX_THREADS, bounded, bounds
from distilmt.utils.errors import UserError


@dataclass
class CompareConfig:
    """`distilmt compare CONFIG.yaml`: methods side by side, on the same labels, for as many updates each."""

    run: RunConfig
    """What all share: corpus, tokenizer, teacher and labels are made once in its run directory."""
    methods: dict[str, RunConfig]
    """For every method's name the same run with its own `student`, and what is chosen from the labels."""
    seeds: list[int] = field(metadata=bounds(0, MAX_SEED))
    """Every method is trained once with each."""
    baseline: str
    """The method all others are compared with."""
    jobs: int = bounded(1, 1, MAX_THREADS)
    """Students trained at once, each on its share of the cores."""


@dataclass
class CompressConfig:
    """`distilmt compress RUN_DIR`: the smallest or fastest model made of a run's student that keeps a promise."""

    path: str = ""
    """A run directory whose student is trained."""
    max_drop: float = bounded(0.5, 0, 100)
    """Most points that may be lost on the validation sentences."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """Points of what."""
    relative_to: Literal["teacher", "student"] = "teacher"
    """Lost against the teacher, or against the student as it is; both in float32 at the run's beam."""
    objective: Literal["smallest", "fastest"] = "smallest"
    """What is looked for among those that keep the promise."""
    prune_layers: bool = True
    """Try to leave out layers, those first without which the cross-entropy rises least."""
    ffn_keep_fraction: float = bounded(0.5, 0.01, 1)
    """Try to leave this share of the feed-forward units, those that add most to the states; 1 leaves them all."""
    vocab_min_count: int = bounded(1, 0, MAX_COUNT)
    """Leave out pieces that the training text has fewer times; 0 keeps all."""
    rounds: int = bounded(3, 0, 100)
    """How often something may be cut off, one after another."""
    recovery_steps: int | None = bounded(None, 1, MAX_COUNT)
    """Updates of training after every cut, on the student's labels; null takes a quarter of the student's own."""
    recovery_lr_scale: float = bounded(0.1, 1e-6, 10)
    """Learning rate of all training here, as a share of the student's: too high a one undoes what was learnt."""
    qat_steps: int | None = bounded(None, 0, MAX_COUNT)
    """Updates with weights of the fewest `bits`, at the end; null takes a quarter of the student's own, 0 none."""
    compute_types: list[ComputeType] = field(default_factory=lambda: ["float32", "int8_float16"])
    """CTranslate2 types that are tried; `int8_float16` keeps what is not int8 in 16 bits on disk."""
    xz: bool = True
    """Pack the files (.xz): distilmt unpacks them in memory, and `unxz` for every other program."""
    bits: list[int] = field(default_factory=lambda: [8, 6, 4], metadata=bounds(3, 8))
    """Bits that int8 weights are rounded to, 3 to 8. What computes is int8 all the same; the files pack smaller."""
    beam_sizes: list[int] = field(default_factory=lambda: [4, 1], metadata=bounds(1, MAX_BEAM))
    """Beams that are tried."""
    shortlist: bool = False
    """Try a lexical shortlist (needs the extra `shortlist`)."""
    baseline: str | None = None
    """Directory of a student without a teacher that stands beside in the budget; null takes the run's own."""
    jobs: int = bounded(1, 1, MAX_THREADS)
    """Trainings at once, each on its share of the cores."""


@dataclass
class CostConfig:
    """`distilmt cost CONFIG.yaml` or `distilmt cost RUN_DIR`, beside the keys of a run."""

    calibrate: bool = False
    """Measure this machine first, by short runs like the one that is configured; what was found is kept."""
    minutes: float = bounded(3.0, 0.5, 1e6)
    """How long that may take, about."""
    calibration_run: str | None = None
    """A run directory whose records tell how fast this machine is, in place of the last fit."""

    finished: bool = False
    """Whether a run directory was named: what was measured then stands beside what is predicted."""


@dataclass
class LabelsConfig:
    """`distilmt labels check|info DIR`, `merge OUT DIR DIR …`, `split DIR OUT`, `select DIR OUT`."""

    action: Literal["check", "info", "merge", "split", "select"] = "check"
    """What is done."""
    paths: list[str] = field(default_factory=list)
    """Stores, directories named `labels` in a run."""
    prefix_ids: bool = False
    """merge: put `1:` in front of the ids of the first store, `2:` of the second, and so on."""
    parts: int | None = bounded(None, 2, 10_000)
    """split: into so many parts of about the same number of sentences; null takes 2."""
    first: int | None = bounded(None, 1, 10**12)
    """split: so many sentences into the first part; null splits evenly."""
    ids: str | None = None
    """split: into the first part the sentences whose ids stand in this file, one a line."""
    rerank: Literal["none", "oracle", "mbr"] = "none"
    """select: which hypothesis is put first, as `labels.rerank` says it."""
    rerank_metric: Literal["chrf", "bleu"] = "chrf"
    """select: sentence score by which `oracle` and `mbr` choose."""
    n_best: int = bounded(1, 1, MAX_BEAM)
    """select: distinct hypotheses of a sentence that get a row of their own."""
    backward_model: str | None = None
    """select: a Marian directory of the other direction, which scores what was chosen."""
    teachers: list[str] = field(default_factory=list)
    """select: the teacher's directory (and those of its ensemble), where words are stored; else the one beside."""
    target: str = "en"
    """select: target language, by which `rerank_metric: bleu` splits words."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.parts, self.first, self.ids))) > 1:
            raise UserError("--parts, --first and --ids are three ways to split: give one")


@dataclass
class PlanConfig:
    """`distilmt plan CONFIG.yaml`, beside the keys of a run: how much text is worth labelling."""

    minutes: float = bounded(20.0, 0.1, 1e6)
    """How long labelling subsets and training on them may take, about; corpus and teacher come before it."""
    min_gain: float = bounded(0.3, 0.001, 100)
    """Points that doubling the text must gain to be worth it."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """Points of what, on the validation sentences."""
    sizes: list[int] | None = field(default=None, metadata=bounds(1, 10**12))
    """Sentences of the subsets, three sizes at least; null takes 1/64 to 1/4 of the text, or what the minutes allow."""
    max_steps: int | None = bounded(None, 2, MAX_COUNT)
    """Updates of every training; null takes what the minutes allow, at most those of the run's student."""
    seeds: list[int] | None = field(default=None, metadata=bounds(0, MAX_SEED))
    """Every subset is trained on once with each; null takes the run's."""
    price_per_sentence: float | None = bounded(None, 0, 1e9)
    """What the teacher asks for a sentence, in any currency; null leaves money out."""

    def __post_init__(self) -> None:
        if self.sizes is not None and len(set(self.sizes)) < 3:
            raise UserError(
                f"--sizes {','.join(map(str, self.sizes))}: a curve needs three different sizes, such as 500,2000,8000"
            )


@dataclass
class DemoConfig:
    """`distilmt demo`: the main job on real text, sized to the time there is."""

    task: Literal["translate", "classify"] = "translate"
    """`classify` distils classifiers of Debian's package descriptions instead (needs the extra `classify`)."""
    pair: str = "en-it"
    """Languages, source first: en-it, en-da, en-fr, en-de, en-pt_BR, en-ja, … (any that Debian translates into)."""
    minutes: float = bounded(20.0, 0.1, 1e6)
    """How long the whole thing may take; more minutes give a better translator."""
    run_dir: str | None = None
    """Directory of the run; runs/demo for en-it, runs/demo-PAIR for others."""
    train: list[str] = field(default_factory=list)
    """Your own text instead: two parallel files, or one .tsv, .jsonl or .parquet file; each may end in .gz."""
    valid: list[str] = field(default_factory=list)
    """Validation text of your own; split off the training text when empty."""
    test: list[str] = field(default_factory=list)
    """Test text of your own; split off the training text when empty."""
    dataset: str | None = None
    """`debian` or `hf:NAME[:CONFIG]`; Debian's package descriptions where apt is there, else opus-100 from the hub."""
    teacher: str | None = None
    """A Hugging Face seq2seq directory or hub name to distil instead of training a teacher."""
    seed: int = bounded(1, 0, MAX_SEED)
    """Seed of everything random."""
    report_language: Literal["en", "zh"] = "en"
    """Language of the report."""


@dataclass
class ServeConfig:
    """`distilmt serve MODEL…`: exported models and run directories behind LibreTranslate's API."""

    models: list[str] = field(default_factory=list)
    """Exported models or run directories; `en-it=DIR` tells the languages of a model that does not know them."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is every one of this machine."""
    port: int = bounded(5000, 0, 65535)
    """Port; 0 takes a free one."""
    system: str = "student-int8"
    """Which export of a run directory translates."""
    beam_size: int | None = bounded(None, 1, MAX_BEAM)
    """1 is greedy; null takes what the model was compressed for, else 4."""
    threads: int = bounded(0, 0, MAX_THREADS)
    """Batches translated side by side, on a thread each; 0 takes one per core."""
    memory: str = "2GB"
    """Most bytes of models that are loaded; those that were not used for longest make room."""
    cascade_threshold: float | None = bounded(None, -1000, 0)
    """Ask the run's teacher where the student's score (log-probability per piece) is below this; null never does."""
    glossary: list[str] = field(default_factory=list)
    """Files of terms whose translation is prescribed, as for `distilmt translate`; of several pairs `en-it=FILE`."""
    keep: list[str] = field(default_factory=list)
    """Regular expressions of what documents and texts keep as it stands, besides placeholders and code."""
    batch_timeout_ms: float = bounded(3.0, 0, 1000)
    """How long a sentence may wait for others to share its batch, while others come."""
    batch_tokens: int = bounded(1024, 1, 1_000_000)
    """Pieces of a batch, padding counted."""
    char_limit: int = bounded(20000, 1, MAX_COUNT)
    """Characters of a text at most."""
    batch_limit: int = bounded(256, 1, 1_000_000)
    """Texts of a request at most."""
    alternatives_limit: int = bounded(8, 0, MAX_BEAM)
    """Alternatives at most."""
    body_limit: str = "10MB"
    """Bytes of a request at most, files included."""
    document_chars: int = bounded(1_000_000, 1, MAX_COUNT)
    """Characters to translate of a document at most."""
    document_seconds: float = bounded(120.0, 0.1, 86400)
    """Seconds a document may take, reading and translating."""
    max_queue_size: int = bounded(20000, 1, 10_000_000)
    """Sentences that wait at most; more are refused with 503."""
    timeout: float = bounded(30.0, 0.1, 3600)
    """Seconds a request may take to arrive, and again to be answered."""
    max_connections: int = bounded(4096, 1, 1_000_000)
    """Connections open at most."""
    req_limit: int = bounded(0, 0, MAX_COUNT)
    """Texts of a client (by API key, else by address) in a minute; 0 does not count."""
    api_keys: str | None = None
    """File with an API key on every line; the variable DISTILMT_API_KEYS holds more, between commas."""
    documents: bool = True
    """Whether documents are translated."""
    ui: bool = True
    """Whether the page for people is served."""
    public_url: str = ""
    """Address by which clients know the server, such as https://example.org; needed for links behind a proxy."""
    cors_origin: str = ""
    """Web origin whose pages may ask, such as https://example.org; * is any, empty none."""
    trusted_proxies: str = ""
    """Addresses, between commas, of reverse proxies whose X-Forwarded-For is believed."""

    def __post_init__(self) -> None:
        self.memory_bytes = parse_size(self.memory, "memory")
        self.body_bytes = parse_size(self.body_limit, "body_limit")


@dataclass
class TranslateConfig:
    """`distilmt translate RUN_OR_MODEL_DIR [FILE …]`."""

    path: str = ""
    """A run directory, or an exported model."""
    files: list[str] = field(default_factory=list)
    """Documents to translate: .txt .srt .vtt .ass .html .md .po .docx .json; without any, lines of standard input."""
    output: str | None = None
    """Where a translated document goes: a file, or a directory, in which it gets the name it has."""
    text: str | None = None
    """A text to translate instead."""
    format: Literal["lines", "txt", "srt", "vtt", "ass", "html", "md", "po", "json"] | None = None
    """What comes in: lines for the model as they stand (standard input), or a document (`text`: txt)."""
    encoding: str | None = None
    """Encoding of lines and documents without a byte order mark (cp1252, shift_jis); null: declared, or UTF-8."""
    json_keys: list[str] = field(default_factory=list)
    """Translate of a .json file only what is below these keys (`title,text`); empty translates all strings."""
    glossary: str | None = None
    """Terms whose translation is prescribed: a .tsv file, each line a term, a tab and its translation."""
    keep: list[str] = field(default_factory=list)
    """Regular expressions of what a document or text keeps as it stands, besides placeholders and code."""
    n_best: int = bounded(1, 1, MAX_BEAM)
    """Translations of each line, best first."""
    scores: bool = False
    """Write the model's confidence, 0 to 1, and a tab before each line's translation."""
    system: str = "student-int8"
    """Which export of a run directory is used; `compressed` is that of `distilmt compress`."""
    beam_size: int | None = bounded(None, 1, MAX_BEAM)
    """1 is greedy; null takes what the model was compressed for, else 4."""
    threads: int = bounded(0, 0, MAX_THREADS)
    """CPU threads; 0 takes one per core."""
    shortlist: bool | None = None
    """Whether the model's shortlist is used; null uses it if there is one."""


def parse_size(text: str, name: str) -> int:
    """Bytes of `2GB`, `500MB`, `64KB` or a number.

    Raises:
        UserError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", text.strip(), re.IGNORECASE)
    if not match:
        raise UserError(f"{name} is {text!r}: write it like 2GB, 500MB or 64KB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** ["", "k", "m", "g"].index(match[2].lower()))

"""Everything a run can be told. YAML files and command-line flags are both made from these dataclasses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from distilmt.errors import UserError

ComputeType = Literal["float32", "int8", "int8_float32", "int8_float16", "int16", "float16", "bfloat16"]
ExportFormat = Literal["huggingface", "onnx", "argos", "marian", "web"]


@dataclass
class CleaningConfig:
    """Which lines of a corpus are dropped, and why. Every dropped line is counted under its rule's name."""

    min_words: int = 1
    """Fewest words on either side (characters for Chinese, Japanese, Thai and other scripts without spaces)."""
    max_words: int = 150
    """Most words on either side (three times as many characters for scripts without spaces)."""
    max_chars: int = 1500
    """Most characters on either side."""
    max_word_chars: int = 0
    """Longest word on either side, in characters (150 is usual); 0 allows all."""
    max_ratio: float = 3.0
    """Longest to shortest side, in characters weighted by script, with 10 characters added to both."""
    drop_identical: bool = True
    """Drop pairs whose two sides are the same."""
    drop_duplicates: bool = True
    """Drop pairs that stood before, and training pairs whose source or target stands in valid or test."""
    keep_best: bool = False
    """Of pairs with the same target (case and punctuation aside) keep the one with the best score."""
    markup: Literal["keep", "fix", "drop"] = "keep"
    """HTML tags and character entities: leave them, take them out and write entities as characters, or drop pairs."""
    min_letters: float = 0.0
    """Smallest share of letters among the characters of either side (0.5 is usual); 0 allows all."""
    drop_number_mismatch: bool = False
    """Drop pairs whose sides do not have the same numbers (in digits)."""
    drop_url_mismatch: bool = False
    """Drop pairs whose sides do not have the same web and mail addresses."""
    max_repetition: int = 0
    """Most times in a row that a phrase of one to four words may stand; 0 allows all."""
    language_id: bool = False
    """Drop pairs whose sides are not in the languages named (needs the extra `langid`)."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_letters <= 1:
            raise UserError(f"cleaning.min_letters is {self.min_letters:g}: it must lie between 0 and 1")


@dataclass
class SourceConfig:
    """One more source of sentence pairs, which is mixed in beside `corpus.train`."""

    files: list[str] = field(default_factory=list)
    """Like `corpus.train`."""
    name: str | None = None
    """Like `corpus.name`; only the training part of a data set is taken."""
    id: str | None = None
    """How the ids of its rows start (letters, digits, `_` and `.`); null makes it of the name."""
    weight: float = 1.0
    """How often a clean pair is taken: 0.5 draws half of them, 2.0 takes every pair twice."""
    licence: str | None = None
    """What it may be used for, for the corpus card."""
    score: str | None = None
    """Column that says how good a pair is, higher being better: its name, in a .tsv file its number from 1."""
    min_score: float | None = None
    """Pairs with less, or without a score, are dropped."""

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.name):
            raise UserError(f"corpus.sources: {self.name or self.files or 'one'}: set either files or name")
        told = self.name or " ".join(self.files)
        if not 0 < self.weight <= 100:
            raise UserError(f"corpus.sources, {told}: weight is {self.weight:g}: it must lie above 0 and not above 100")
        if self.min_score is not None and self.score is None:
            raise UserError(f"corpus.sources, {told}: min_score is set, so name the column with score")
        if self.id is not None and not re.fullmatch(r"[A-Za-z0-9_.]+", self.id):
            raise UserError(f"corpus.sources, {told}: id is {self.id!r}: use letters, digits, _ and . alone")


@dataclass
class CorpusConfig:
    """Where sentence pairs come from."""

    source: str = "en"
    """Source language code (`en`, `zh`, `pt_BR`)."""
    target: str = "it"
    """Target language code."""
    train: list[str] = field(default_factory=list)
    """Two parallel text files; one .tsv, .jsonl, .parquet, .tmx, .xlf, .po or .mo file; or a directory of .po."""
    valid: list[str] = field(default_factory=list)
    """Like train; when empty, pairs are split off the training text."""
    test: list[str] = field(default_factory=list)
    """Like train; when empty, pairs are split off the training text."""
    monolingual: list[str] = field(default_factory=list)
    """Text files in the source language, a sentence a line, which the teacher translates; each may end in .gz."""
    name: str | None = None
    """`debian`, `hf:NAME[:CONFIG]` (Hugging Face, disk or hub), `opus:NAME[/VERSION]` or `mtdata:ID`."""
    licence: str | None = None
    """What `train` or `name` may be used for, for the corpus card; null takes what the data set itself says."""
    sources: list[SourceConfig] = field(default_factory=list)
    """More sources of pairs beside it, each with files or a name, and a weight."""
    valid_size: int = 1500
    """Most validation pairs (kept as they are if `valid` names files)."""
    test_size: int = 2000
    """Most test pairs split off (files named by `test` are kept whole and uncleaned)."""
    max_train: int | None = None
    """Most training pairs, drawn at random after cleaning; null keeps all."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """What is dropped."""

    @property
    def bilingual(self) -> bool:
        """Whether there are pairs; else the teacher gives the references."""
        return bool(self.train or self.name or self.sources)


@dataclass
class TokenizerConfig:
    """SentencePiece subwords in Marian's convention (eos 0, unk 1, pad last)."""

    path: str | None = None
    """A Marian or OPUS-MT directory whose pieces are taken instead of learning new ones."""
    vocab_size: int = 8000
    """Pieces per vocabulary, pad included."""
    sharing: Literal["auto", "shared", "split"] = "auto"
    """One vocabulary for both sides, or one each; `auto` splits when the scripts differ (English and Chinese)."""
    model_type: Literal["unigram", "bpe"] = "unigram"
    """SentencePiece algorithm."""
    character_coverage: float = 0.9995
    """Share of characters that get pieces of their own; the others are spelt in bytes."""
    byte_fallback: bool = True
    """Spell unknown characters in UTF-8 bytes, so that nothing is ever unknown."""
    sample: int = 500_000
    """Most sentences a side the pieces are learnt from."""


@dataclass
class ModelConfig:
    """Shape of a Marian transformer."""

    preset: Literal["micro", "tiny", "small", "base", "teacher", "teacher-big"] | None = None
    """Named shape; keys set beside it override it. See `distilmt.students.presets`."""
    d_model: int | None = None
    """Width of the embeddings and of every layer."""
    ffn: int | None = None
    """Width of the feed-forward blocks."""
    heads: int | None = None
    """Attention heads."""
    encoder_layers: int | None = None
    """Layers of the encoder."""
    decoder_layers: int | None = None
    """Layers of the decoder."""
    max_positions: int = 256
    """Longest sequence in tokens; longer training pairs are left out, longer texts are translated in parts."""


@dataclass
class TrainingConfig:
    """How a model is trained. Teacher, student and baseline share the loop."""

    updates: int = 10_000
    """Optimizer steps at most; the learning-rate schedule ends here."""
    seconds: float | None = None
    """Most seconds, validations included; on a machine that slows down the schedule hurries to end in time."""
    batch_tokens: int = 4096
    """Most tokens of an update on either side."""
    optimizer: Literal["muon", "adam"] = "muon"
    """Of the layers' matrices: Muon learns most in the same time; embeddings, biases and norms always have Adam."""
    learning_rate: float = 3e-3
    """Peak learning rate, of Adam and Muon alike; with `adam` alone 0.001 is safer."""
    warmup: int = 200
    """Updates over which the learning rate climbs to its peak; at most a fifth of all updates."""
    schedule: Literal["linear", "cosine", "inverse_sqrt"] = "linear"
    """How the learning rate falls after the warm-up: to zero at the last update, or by inverse square root."""
    label_smoothing: float = 0.1
    """Share of the reference's probability that is spread over the vocabulary (hard targets only)."""
    dropout: float = 0.1
    """Dropout of every block."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    clip_norm: float = 1.0
    """Largest gradient norm; 0 turns clipping off."""
    average_decay: float = 0.998
    """Exponential moving average of the weights that is validated and kept; 0 turns it off."""
    validate_every: int = 1000
    """Updates between validations (greedy decoding of validation sentences)."""
    validate_sentences: int = 500
    """Validation sentences that are decoded."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """What the best checkpoint is chosen by."""
    patience: int = 10
    """Validations without a better score before training stops early; 0 never stops early."""
    save_seconds: float = 45.0
    """Seconds between checkpoints to resume from: a kill loses at most so much work."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` takes bf16 where the processor or GPU computes it natively."""
    threads: int = 0
    """CPU threads; 0 takes one per core."""


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
    max_tokens: int = 512
    """Most tokens of an answer; one that is cut off there is not used."""
    key_variable: str | None = None
    """Environment variable that holds the API key; the key itself is written nowhere."""
    concurrent: int = 8
    """Requests under way at once."""
    per_minute: float = 0.0
    """Most requests a minute; 0 sets no limit."""
    retries: int = 8
    """How often a request that failed in passing is made again, each time after a longer wait."""
    timeout: float = 120.0
    """Seconds an answer is waited for."""
    price_in: float = 0.0
    """Price of a million tokens of prompts; what was spent is counted, in the same currency."""
    price_out: float = 0.0
    """Price of a million tokens of answers."""
    spend: float = 0.0
    """Stop when so much was spent; 0 sets no limit."""


@dataclass
class TeacherConfig:
    """The big model: trained here, or any existing one."""

    path: str | None = None
    """A Hugging Face seq2seq model (directory or hub name), CTranslate2 directory or .argosmodel to use instead."""
    command: str | None = None
    """A program that reads lines and writes a translation of each, to use instead (`apertium -u eng-spa`)."""
    url: str | None = None
    """A server to ask instead (`http://localhost:8000/v1`, `http://localhost:5000`)."""
    api: Literal["openai", "libretranslate"] = "openai"
    """What the server at `url` speaks: OpenAI's chat completions, or LibreTranslate's API."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """How it is asked."""
    prefix: str | None = None
    """Text put before every source (`translate English to German: `); null takes what a T5 or MADLAD model wants."""
    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="teacher"))
    """Shape of a teacher trained here."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
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
        if self.url and "{text}" not in self.endpoint.prompt:
            raise UserError("teacher.endpoint.prompt has no {text}: say where the sentence goes")


@dataclass
class LabelConfig:
    """What the teacher is asked, and what is kept of its answers."""

    beam_size: int = 4
    """Beam of the teacher's translations."""
    hypotheses: int = 1
    """Translations kept per sentence, best first; 0 lets the teacher translate nothing."""
    sampling: float = 0.0
    """Draw the translations from the teacher's distribution at this temperature; 0 searches with the beam."""
    length_penalty: float = 1.0
    """CTranslate2's exponent of the length by which scores are divided."""
    compute_type: ComputeType = "int8"
    """CTranslate2 type the teacher decodes in; int8 is the fastest, float32 is exact."""
    top_k: int = 8
    """Log-probabilities kept per target position for word-level distillation; 0 keeps none."""
    score_on: Literal["hypothesis", "reference", "both"] = "hypothesis"
    """Whose prefixes the teacher's distributions are computed on."""
    ensemble: list[str] = field(default_factory=list)
    """More teachers, Marian directories with the same pieces: distributions are averaged, translations pooled."""
    max_sentences: int | None = None
    """Most training sentences labelled, drawn at random; null labels all."""
    shard_size: int = 4000
    """Sentences per shard: a kill loses at most one shard."""
    max_length_ratio: float = 3.0
    """Hypotheses this many times longer or shorter than their source (in tokens, 10 added) are not trained on."""
    max_repetition: int = 8
    """Hypotheses with a phrase repeated more than this many times in a row are not trained on."""
    drop_copies: bool = True
    """Hypotheses that only repeat their source are not trained on, unless the reference does too."""
    max_ter: float | None = None
    """Hypotheses further from their reference than this (TER, %) are not trained on; null keeps all."""
    choose: Literal["best", "nearest", "mbr"] = "best"
    """Hypothesis trained on: the teacher's best, the nearest to the reference, or the likest to the others (MBR)."""
    utility: Literal["chrf", "bleu"] = "chrf"
    """Sentence score by which `nearest` and `mbr` choose."""
    keep: int = 1
    """Distinct hypotheses of a sentence that are trained on, each as a pair of its own, in the order of `choose`."""

    reverse: str | None = None
    """A Marian directory of the other direction: tells how well the source can be guessed from a hypothesis."""
    reverse_keep: float = 0.95
    """Share of the hypotheses that is trained on, those that `reverse` likes best."""
    engine: Literal["local", "ray"] = "local"
    """Who labels: this process, or workers of a Ray cluster (needs the extra `ray`). The labels are the same."""
    address: str = "local"
    """Ray cluster: `local` starts one of this machine, `auto` finds the one it belongs to, else HOST:PORT."""
    workers: int = 0
    """Most shards labelled at once on Ray; 0 takes as many as the cluster has room for, now and later."""
    worker_cores: int = 1
    """Cores of each worker on Ray."""
    worker_gpus: float | None = None
    """GPUs of each worker on Ray (0.5: two share one); null gives each one if the cluster has any."""

    @property
    def selects(self) -> bool:
        """Whether finished labels are gone through once more: another hypothesis chosen, or a score added."""
        return self.choose != "best" or self.keep > 1 or self.reverse is not None


@dataclass
class ObjectiveConfig:
    """What the student minimises: a weighted sum of cross-entropies per target token."""

    word: float = 0.7
    """Weight of the cross-entropy between the teacher's and the student's word distributions."""
    label: float = 0.3
    """Weight of the cross-entropy against the words of the sequence itself (hypothesis or reference)."""
    annealing: bool = False
    """Let `word` fall to zero by the last update and `label` take over what it loses (teacher annealing)."""
    reference_share: float = 0.5
    """Share of updates' sentences whose target is the reference instead of the teacher's hypothesis."""
    temperature: float = 1.0
    """Both distributions are softened by it; the term is multiplied by its square."""
    top_k: int | None = None
    """Use fewer of the stored log-probabilities; null uses all."""
    tail: Literal["bucket", "uniform", "renormalise", "zero"] = "bucket"
    """Mass outside the top k: a bucket, one spread evenly over all other words, spread over the top k, or left out."""
    divergence: Literal["kl", "reverse_kl", "symmetric_kl", "js", "tv", "skewed_kl", "skewed_reverse_kl"] = "kl"
    """How the student's distribution is compared with the teacher's; all but `kl` need the tail `bucket`."""
    skew: float = 0.1
    """β of `js` (0.5 is symmetric), α of the skewed divergences."""
    entropy: Literal["none", "penalty", "weight_high", "weight_low", "temperature"] = "none"
    """Reward the student's entropy; weigh positions by the teacher's, high or low; or soften certain positions most."""
    entropy_weight: float = 0.01
    """Of the reward under `entropy: penalty`; below zero it is the reverse, a penalty of uncertainty."""
    selection: Literal["all", "batch", "queue", "hard_gate", "teacher_better"] = "all"
    """Positions the teacher's words are learnt at: all, the hardest, where the student is surer, or the teacher is."""
    selection_share: float = 0.5
    """Share of positions that count as the hardest under `batch` and `queue`."""
    ranking: float = 0.0
    """Weight of the hinge that puts words in the teacher's order (TIE-KD), within the word term."""
    states: float = 0.0
    """Weight of the distance between student's and teacher's hidden states; the teacher is then kept in memory."""
    attention: float = 0.0
    """Weight of the divergence of the student's attention from the teacher's; the teacher is then kept in memory."""
    attention_heads: Literal["learnt", "same"] = "learnt"
    """Learn which heads are to be compared (Align-to-Distill), or compare heads one by one in the layers as far up."""
    consistency: float = 0.0
    """Weight of R-Drop: two passes under different dropout should say the same. An update takes twice as long."""

    @property
    def online(self) -> bool:
        """Whether the teacher is needed in memory."""
        return self.states > 0 or self.attention > 0

    def __post_init__(self) -> None:
        if self.divergence != "kl" and self.tail != "bucket":
            raise UserError(f"objective.tail is {self.tail!r}, but divergence {self.divergence!r} needs tail: bucket")
        for name in ("skew", "selection_share"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"objective.{name} is {getattr(self, name)}: it must lie between 0 and 1")


@dataclass
class OnPolicyConfig:
    """A last stretch in which the teacher says how it would go on from what the student itself has said."""

    updates: int = 0
    """Updates of every round; 0 leaves it out."""
    rounds: int = 1
    """How often the student translates anew and is trained on what the teacher says of it."""
    share: float = 0.5
    """Share of sentences that are read after the student's own words; the others after the reference's."""
    sampling: float = 1.0
    """Temperature at which the student's words are drawn; 0 takes its best by beam search."""
    sentences: int | None = None
    """Most sentences of a round, drawn at random; null takes all."""
    learning_rate: float = 5e-4
    """Peak learning rate of a round."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UserError(f"student.on_policy.share is {self.share:g}: it must lie above 0 and not above 1")


@dataclass
class StudentConfig:
    """The small model."""

    model: ModelConfig = field(default_factory=lambda: ModelConfig(preset="tiny"))
    """Shape of the student."""
    initialise: Literal["random", "first", "evenly"] = "random"
    """`first` copies the teacher's first layers, `evenly` some spaced evenly; both need its width and vocabulary."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """What is minimised."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """How it is trained; the baseline is trained the same way, without the teacher."""
    on_policy: OnPolicyConfig = field(default_factory=OnPolicyConfig)
    """A last stretch on the student's own words."""
    baseline: bool = True
    """Train the same student without the teacher as well."""

    @property
    def all_updates(self) -> int:
        """Updates of the whole training."""
        return self.training.updates + self.on_policy.updates * self.on_policy.rounds

    def __post_init__(self) -> None:
        if self.objective.consistency and not self.training.dropout:
            raise UserError(
                "student.objective.consistency compares two passes under dropout, but student.training.dropout is 0: "
                "set it above 0, or consistency to 0"
            )


@dataclass
class LicenceConfig:
    """Under what licences the parts of a model stand, for its card; null is said to be not stated."""

    teacher: str | None = None
    """Licence of the teacher (`CC-BY-4.0`)."""
    data: str | None = None
    """Licence of the text it was trained on."""


@dataclass
class ExportConfig:
    """What is written for deployment."""

    teacher: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"])
    """CTranslate2 types of the teacher."""
    student: list[ComputeType] = field(default_factory=lambda: ["float32", "int8"])
    """CTranslate2 types of student and baseline."""
    formats: list[ExportFormat] = field(default_factory=list)
    """More forms of the student: `huggingface`, `onnx` and `web` (need the extra `onnx`), `argos`, `marian`."""
    huggingface_type: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of the weights in the form `huggingface`."""
    node_modules: str | None = None
    """Where the JavaScript of the form `web` is installed; null has npm fetch it."""
    licences: LicenceConfig = field(default_factory=LicenceConfig)
    """What the cards of all exports say."""


@dataclass
class EvaluationConfig:
    """How quality, speed and memory are measured."""

    beam_size: int = 4
    """Beam of every system, in quality and speed alike."""
    speed_sentences: int = 200
    """Test sentences the speed is measured on."""
    bootstrap: int = 1000
    """Resamples of the paired bootstrap."""
    examples: int = 20
    """Translations shown side by side."""
    health_cases: int = 40
    """Most inputs of each challenge that student and teacher are examined with; 0 leaves them out."""


@dataclass
class RunConfig:
    """A whole run: `distilmt run CONFIG.yaml`."""

    run_dir: str = "runs/run"
    """Directory of the run; made if missing, resumed if there."""
    seed: int = 1
    """Seed of everything random."""
    language: Literal["en", "zh"] = "en"
    """Language of the report."""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    """Sentence pairs."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """Subwords."""
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    """The big model."""
    labels: LabelConfig = field(default_factory=LabelConfig)
    """What the teacher says."""
    student: StudentConfig = field(default_factory=StudentConfig)
    """The small model."""
    export: ExportConfig = field(default_factory=ExportConfig)
    """What is deployed."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """What is measured."""

    def __post_init__(self) -> None:
        if self.corpus.source == self.corpus.target:
            raise UserError(
                f"corpus.source and corpus.target are both {self.corpus.source!r}: name two different languages"
            )


@dataclass
class ShortlistConfig:
    """Which target pieces a sentence may use (CTranslate2's vocabulary map)."""

    best: int = 50
    """Target pieces that every source piece allows: the likeliest translations. Fewer are faster, and lose more."""
    frequent: int = 100
    """The most frequent target pieces, which are always allowed."""
    hypotheses: int = 1
    """How many of the teacher's translations of a sentence it is learnt from, beside the reference; best first."""
    sentences: int = 200_000
    """Most sentences it is learnt from, taken evenly from the labels: the word aligner keeps them in memory."""

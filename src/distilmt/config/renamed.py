"""Former names of keys and values: rejected in files and flags, translated in directories of finished runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping, JsonObject

_MODEL = {
    "ffn": "ffn_dim",
    "heads": "num_heads",
}
_TRAINING = {
    "updates": "max_steps",
    "seconds": "max_seconds",
    "warmup": "warmup_steps",
    "schedule": "lr_scheduler",
    "clip_norm": "max_grad_norm",
    "average_decay": "ema_decay",
    "validate_every": "eval_steps",
    "validate_sentences": "eval_sentences",
    "save_seconds": "save_interval_seconds",
}


def _in_section(section: str, names: Mapping[str, str]) -> dict[str, str]:
    return {f"{section}.{old}": f"{section}.{new}" for old, new in names.items()}


RUN = {
    "language": "report_language",
    "corpus.name": "corpus.dataset",
    "corpus.licence": "corpus.license",
    "corpus.sources.name": "corpus.sources.dataset",
    "corpus.sources.licence": "corpus.sources.license",
    "tokenizer.sharing": "tokenizer.vocab_sharing",
    "tokenizer.sample": "tokenizer.input_sentence_size",
    "teacher.endpoint.key_variable": "teacher.endpoint.api_key_env",
    "teacher.endpoint.concurrent": "teacher.endpoint.max_concurrency",
    "teacher.endpoint.per_minute": "teacher.endpoint.requests_per_minute",
    "teacher.endpoint.retries": "teacher.endpoint.max_retries",
    "teacher.endpoint.price_in": "teacher.endpoint.input_price",
    "teacher.endpoint.price_out": "teacher.endpoint.output_price",
    "teacher.endpoint.spend": "teacher.endpoint.budget",
    "teacher.prefix": "teacher.source_prefix",
    "labels.hypotheses": "labels.num_hypotheses",
    "labels.sampling": "labels.sampling_temperature",
    "labels.choose": "labels.rerank",
    "labels.utility": "labels.rerank_metric",
    "labels.keep": "labels.n_best",
    "labels.drop_copies": "labels.drop_identical",
    "labels.reverse": "labels.backward_model",
    "labels.reverse_keep": "labels.backward_keep_fraction",
    "labels.engine": "labels.executor",
    "labels.address": "labels.ray_address",
    "labels.workers": "labels.max_workers",
    "labels.worker_cores": "labels.num_cpus",
    "labels.worker_gpus": "labels.num_gpus",
    "student.objective.word": "student.objective.kd_weight",
    "student.objective.label": "student.objective.ce_weight",
    "student.objective.annealing": "student.objective.teacher_annealing",
    "student.objective.reference_share": "student.objective.reference_fraction",
    "student.objective.skew": "student.objective.skew_alpha",
    "student.objective.entropy": "student.objective.entropy_mode",
    "student.objective.selection": "student.objective.token_selection",
    "student.objective.selection_share": "student.objective.selection_fraction",
    "student.objective.ranking": "student.objective.ranking_weight",
    "student.objective.states": "student.objective.hidden_state_weight",
    "student.objective.attention": "student.objective.attention_weight",
    "student.objective.attention_heads": "student.objective.head_mapping",
    "student.objective.consistency": "student.objective.r_drop_weight",
    "student.on_policy.updates": "student.on_policy.steps",
    "student.on_policy.share": "student.on_policy.student_data_fraction",
    "student.on_policy.sampling": "student.on_policy.sampling_temperature",
    "student.on_policy.sentences": "student.on_policy.max_sentences",
    "student.initialise": "student.initialization",
    "export.licences": "export.licenses",
    "evaluation.speed_sentences": "evaluation.benchmark_sentences",
    "evaluation.bootstrap": "evaluation.bootstrap_samples",
    "evaluation.health_cases": "evaluation.challenge_cases",
    **_in_section("teacher.model", _MODEL),
    **_in_section("student.model", _MODEL),
    **_in_section("teacher.training", _TRAINING),
    **_in_section("student.training", _TRAINING),
}
"""Keys of a run, dotted: former name to current name."""
COMMANDS = {
    "CompressConfig": {
        "against": "relative_to",
        "goal": "objective",
        "layers": "prune_layers",
        "ffn": "ffn_keep_fraction",
        "vocabulary": "vocab_min_count",
        "recovery_updates": "recovery_steps",
        "recovery_rate": "recovery_lr_scale",
        "qat_updates": "qat_steps",
        "types": "compute_types",
        "packed": "xz",
        "beams": "beam_sizes",
    },
    "CostConfig": {
        "fit": "calibrate",
        "like": "calibration_run",
    },
    "LabelsConfig": {
        "rename": "prefix_ids",
        "choose": "rerank",
        "utility": "rerank_metric",
        "keep": "n_best",
        "reverse": "backward_model",
    },
    "PlanConfig": {
        "worth": "min_gain",
        "updates": "max_steps",
        "price": "price_per_sentence",
    },
    "DemoConfig": {
        "corpus": "dataset",
        "language": "report_language",
    },
    "TranslateConfig": {
        "scores": "confidence",
    },
    "ServeConfig": {
        "cascade": "cascade_threshold",
        "window_ms": "batch_timeout_ms",
        "queue": "max_queue_size",
        "connections": "max_connections",
        "files": "documents",
        "web": "ui",
        "cors": "cors_origin",
        "proxies": "trusted_proxies",
    },
}
"""Keys of other commands, by the name of their dataclass."""
_MANIFEST = {"speaker": "generation_model"}
_RERANK = {"best": "none", "nearest": "oracle"}
VALUES = {
    "RunConfig": {
        "labels.rerank": _RERANK,
        "student.initialization": {"evenly": "spaced"},
        "student.objective.tail": {"renormalise": "renormalize"},
        "student.objective.head_mapping": {"learnt": "learned"},
    },
    "LabelsConfig": {"rerank": _RERANK},
}
"""Values by current key name: former value to current value."""


def name_of(kind: type, key: str) -> str | None:
    """The current name of a key, if its own name or that of its section is a former one."""
    name = _renamed(key, keys_of(kind))
    return name if name != key else None


def keys_of(kind: type) -> Mapping[str, str]:
    """Former name to current name of the keys of a run, or of a command."""
    return RUN if kind.__name__ == "RunConfig" else COMMANDS.get(kind.__name__, {})


def _renamed(key: str, names: Mapping[str, str]) -> str:
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        if name := names.get(".".join(parts[:end])):
            return ".".join([name, *parts[end:]])
    return key


def check_values(kind: type, values: JsonMapping, where: str, prefix: str = "") -> None:
    """Reject former names of keys and values in a file; `where` is its name.

    Raises:
        UserError: a former name; the message has the current one.
    """
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if name := name_of(kind, dotted):
            raise UserError(f"{where}: {dotted} is called {name} now")
        check_value(kind, dotted, value, f"{where}: ")
        for inner in _mappings(value):
            check_values(kind, inner, where, f"{dotted}.")


def check_value(kind: type, key: str, value: object, where: str) -> None:
    """Reject a former value of a key; `where` comes before the key in the message.

    Raises:
        UserError: a former value; the message has the current one.
    """
    names = VALUES.get(kind.__name__, {}).get(key, {})
    if isinstance(value, str) and value in names:
        raise UserError(f"{where}{key} {value} is called {names[value]} now")


def _mappings(value: object) -> Iterator[JsonMapping]:
    yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict))


def translated(values: JsonMapping, prefix: str = "") -> JsonObject:
    """Nested values of a run with current names; current names stay unchanged.

    Args:
        values: nested values of `config.yaml`, or of one of its sections.
        prefix: the section, such as `student.training.`.
    """
    return _nested(values, prefix, RUN, VALUES["RunConfig"])


def translated_settings(settings: JsonMapping) -> JsonObject:
    """Settings of a step with current names, dotted or nested below their section."""
    return {_renamed(key, RUN): _value(key, value, RUN, VALUES["RunConfig"]) for key, value in settings.items()}


def translated_command(kind: type, values: JsonMapping) -> JsonObject:
    """Values of a command, or of a run, with current names."""
    if keys_of(kind) is RUN:
        return translated(values)
    return {keys_of(kind).get(key, key): value for key, value in values.items()}


def translated_manifest(manifest: JsonMapping) -> JsonObject:
    """The manifest of a label store with current names."""
    decoding, choice = manifest.get("decoding"), manifest.get("choice")
    own: JsonObject = {}
    if isinstance(decoding, dict):
        own["decoding"] = translated(decoding, "labels.")
    if isinstance(choice, list):
        own["choice"] = [_RERANK.get(str(choice[0]), choice[0]), *choice[1:]]
    current = {_MANIFEST.get(key, key): value for key, value in manifest.items()}
    return {**current, **own}


def former(kind: type, values: JsonMapping) -> JsonObject:
    """Values of a command, or of a run, with former names: the input of older fingerprints."""
    keys = {name: key for key, name in keys_of(kind).items()}
    names = {key: {new: old for old, new in own.items()} for key, own in VALUES.get(kind.__name__, {}).items()}
    return _nested(values, "", keys, names)


def _nested(
    values: JsonMapping, prefix: str, keys: Mapping[str, str], names: Mapping[str, Mapping[str, str]]
) -> JsonObject:
    result = {}
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        own = _renamed(dotted, keys)
        result[key if own == dotted else own.rpartition(".")[2]] = _value(dotted, value, keys, names)
    return result


def _value(key: str, value: object, keys: Mapping[str, str], names: Mapping[str, Mapping[str, str]]) -> object:
    if isinstance(value, dict):
        return _nested(value, f"{key}.", keys, names)
    if isinstance(value, list):
        return [_nested(each, f"{key}.", keys, names) if isinstance(each, dict) else each for each in value]
    own = names.get(key) or names.get(_renamed(key, keys)) or {}
    return own.get(value, value) if isinstance(value, str) else value


def is_run_file(path: Path) -> bool:
    """Whether a file is the `config.yaml` that distilmt wrote into the directory of a run with finished steps."""
    return path.name == "config.yaml" and any(path.parent.glob("*/step.json"))

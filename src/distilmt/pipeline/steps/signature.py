"""Signature of a run: one line with the settings of its student."""

from __future__ import annotations

from pathlib import Path

from distilmt import __version__
from distilmt.config import AugmentationConfig, LabelConfig, RunConfig, StudentConfig
from distilmt.config.choices import METRIC_RANKINGS
from distilmt.losses.terms import loss_signature
from distilmt.utils import pretrained


def _label_kinds(labels: LabelConfig) -> str:
    """Label types: translations, top-k on hypotheses or references, or both."""
    translations = [f"{labels.num_hypotheses}best"] if labels.num_hypotheses else []
    return "+".join([*translations, *([labels.score_on] if labels.top_k else [])])


def _decoding(labels: LabelConfig) -> str:
    search = (
        f"sampled{labels.sampling_temperature:g}"
        if labels.sampling_temperature
        else f"beam{labels.beam_size}.lp{labels.length_penalty:g}"
    )
    return f"{search}.{labels.compute_type}"


def _teacher(config: RunConfig) -> str:
    """The teacher's name; that of the built-in one is the same on every machine."""
    named = config.teacher.named
    return f"distilmt/{pretrained.TEACHER.name}" if named == str(pretrained.TEACHER) else named or "trained"


def _pretrained(student: StudentConfig) -> str:
    name = str(student.pretrained)
    model = pretrained.STUDENTS.get(name, Path(name)).name
    return f"pretrained-{model}" + ("" if student.pretrained_parts == "all" else f".{student.pretrained_parts}")


def _augmentation(config: AugmentationConfig) -> str:
    """The fractions that are not 0: `typos0.1+copies0.05`."""
    return "+".join(f"{name}{getattr(config, name):g}" for name in config.nonzero_keys)


def signature(config: RunConfig) -> str:
    """One line with the settings of the student, like sacreBLEU's signature for scores."""
    labels, objective = config.labels, config.student.objective
    policy, architecture = config.student.on_policy, config.student.model.architecture
    augmentation = config.student.augmentation
    parts = {
        "teacher": "+".join([_teacher(config), *labels.ensemble]),
        "decode": _decoding(labels) if labels.num_hypotheses else "no",
        "labels": _label_kinds(labels) + _ranking(labels) + (f".keep{labels.n_best}" if labels.n_best > 1 else ""),
        "k": labels.top_k,
        "tail": objective.tail,
        "T": f"{objective.temperature:g}",
        "loss": loss_signature(objective),
        "refs": f"{objective.reference_fraction:g}",
        **({} if architecture == "marian" else {"architecture": architecture}),
        "init": config.student.initialization if config.student.pretrained is None else _pretrained(config.student),
        **({"augmentation": _augmentation(augmentation)} if augmentation.nonzero_keys else {}),
        "updates": config.student.training.max_steps,
        **({"on-policy": f"{policy.rounds}x{policy.steps}.{policy.student_data_fraction:g}"} if policy.steps else {}),
        "seed": config.seed,
        "version": __version__,
    }
    return "|".join(f"{key}:{value}" for key, value in parts.items())


def _ranking(labels: LabelConfig) -> str:
    """How hypotheses are ranked, with the metric if one is used."""
    if labels.rerank == "none":
        return ""
    return f".{labels.rerank}" + (f"-{labels.rerank_metric}" if labels.rerank in METRIC_RANKINGS else "")

"""Signature of a run: one line with the settings of its student."""

from __future__ import annotations

from distilmt import __version__
from distilmt.config import LabelConfig, ObjectiveConfig, RunConfig


def _label_kinds(labels: LabelConfig) -> str:
    """Label types: translations, top-k on hypotheses or references, or both."""
    translations = [f"{labels.num_hypotheses}best"] if labels.num_hypotheses else []
    return "+".join([*translations, *([labels.score_on] if labels.top_k else [])])


def _loss(objective: ObjectiveConfig) -> str:
    """The loss terms and all non-default settings."""
    parts = [f"word{objective.kd_weight:g}", f"label{objective.ce_weight:g}"]
    if objective.teacher_annealing:
        parts.append("annealing")
    if objective.divergence != "kl":
        skewed = "js" in objective.divergence or "skewed" in objective.divergence
        parts.append(objective.divergence + (f"{objective.skew_alpha:g}" if skewed else ""))
    if objective.entropy_mode != "none":
        weight = f"{objective.entropy_weight:g}" if objective.entropy_mode == "penalty" else ""
        parts.append(f"entropy-{objective.entropy_mode}{weight}")
    if objective.token_selection != "all":
        share = f"{objective.selection_fraction:g}" if objective.token_selection in ("batch", "queue") else ""
        parts.append(objective.token_selection + share)
    if objective.ranking_weight:
        parts.append(f"ranking{objective.ranking_weight:g}")
    if objective.hidden_state_weight:
        parts.append(f"states{objective.hidden_state_weight:g}")
    if objective.attention_weight:
        parts.append(f"attention{objective.attention_weight:g}-{objective.head_mapping}")
    if objective.r_drop_weight:
        parts.append(f"consistency{objective.r_drop_weight:g}")
    return "+".join(parts)


def _decoding(labels: LabelConfig) -> str:
    search = (
        f"sampled{labels.sampling_temperature:g}"
        if labels.sampling_temperature
        else f"beam{labels.beam_size}.lp{labels.length_penalty:g}"
    )
    return f"{search}.{labels.compute_type}"


def signature(config: RunConfig) -> str:
    """One line with the settings of the student, like sacreBLEU's signature for scores."""
    labels, objective = config.labels, config.student.objective
    policy = config.student.on_policy
    parts = {
        "teacher": "+".join([config.teacher.named or "trained", *labels.ensemble]),
        "decode": _decoding(labels) if labels.num_hypotheses else "no",
        "labels": _label_kinds(labels)
        + ("" if labels.rerank == "none" else f".{labels.rerank}-{labels.rerank_metric}")
        + (f".keep{labels.n_best}" if labels.n_best > 1 else ""),
        "k": labels.top_k,
        "tail": objective.tail,
        "T": f"{objective.temperature:g}",
        "loss": _loss(objective),
        "refs": f"{objective.reference_fraction:g}",
        "init": config.student.initialization,
        "updates": config.student.training.max_steps,
        **({"on-policy": f"{policy.rounds}x{policy.steps}.{policy.student_data_fraction:g}"} if policy.steps else {}),
        "seed": config.seed,
        "version": __version__,
    }
    return "|".join(f"{key}:{value}" for key, value in parts.items())

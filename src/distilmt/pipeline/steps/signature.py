"""One line that stands for how a run's student was made."""

from __future__ import annotations

from distilmt import __version__
from distilmt.config import LabelConfig, ObjectiveConfig, RunConfig


def _label_kinds(labels: LabelConfig) -> str:
    """What the teacher was asked: translations, word distributions on whose words, or both."""
    translations = [f"{labels.hypotheses}best"] if labels.hypotheses else []
    return "+".join([*translations, *([labels.score_on] if labels.top_k else [])])


def _loss(objective: ObjectiveConfig) -> str:
    """The terms, and what is not as it is by default."""
    parts = [f"word{objective.word:g}", f"label{objective.label:g}"]
    if objective.annealing:
        parts.append("annealing")
    if objective.divergence != "kl":
        skewed = "js" in objective.divergence or "skewed" in objective.divergence
        parts.append(objective.divergence + (f"{objective.skew:g}" if skewed else ""))
    if objective.entropy != "none":
        weight = f"{objective.entropy_weight:g}" if objective.entropy == "penalty" else ""
        parts.append(f"entropy-{objective.entropy}{weight}")
    if objective.selection != "all":
        share = f"{objective.selection_share:g}" if objective.selection in ("batch", "queue") else ""
        parts.append(objective.selection + share)
    if objective.ranking:
        parts.append(f"ranking{objective.ranking:g}")
    if objective.states:
        parts.append(f"states{objective.states:g}")
    if objective.attention:
        parts.append(f"attention{objective.attention:g}-{objective.attention_heads}")
    if objective.consistency:
        parts.append(f"consistency{objective.consistency:g}")
    return "+".join(parts)


def _decoding(labels: LabelConfig) -> str:
    search = f"sampled{labels.sampling:g}" if labels.sampling else f"beam{labels.beam_size}.lp{labels.length_penalty:g}"
    return f"{search}.{labels.compute_type}"


def signature(config: RunConfig) -> str:
    """One line that stands for how the student was made, as sacreBLEU's stands for how it is scored."""
    labels, objective = config.labels, config.student.objective
    policy = config.student.on_policy
    parts = {
        "teacher": "+".join([config.teacher.named or "trained", *labels.ensemble]),
        "decode": _decoding(labels) if labels.hypotheses else "no",
        "labels": _label_kinds(labels)
        + ("" if labels.choose == "best" else f".{labels.choose}-{labels.utility}")
        + (f".keep{labels.keep}" if labels.keep > 1 else ""),
        "k": labels.top_k,
        "tail": objective.tail,
        "T": f"{objective.temperature:g}",
        "loss": _loss(objective),
        "refs": f"{objective.reference_share:g}",
        "init": config.student.initialise,
        "updates": config.student.training.updates,
        **({"on-policy": f"{policy.rounds}x{policy.updates}.{policy.share:g}"} if policy.updates else {}),
        "seed": config.seed,
        "version": __version__,
    }
    return "|".join(f"{key}:{value}" for key, value in parts.items())

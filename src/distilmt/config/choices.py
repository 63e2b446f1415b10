"""Values of keys that several dataclasses and modules share."""

from typing import Literal

Metric = Literal["bleu", "chrf"]
"""Metric of a set of translations, or of one."""
CompressionGoal = Literal["smallest", "fastest"]
"""What the best compressed model is, among those that meet the quality constraint."""
ConstraintReference = Literal["teacher", "student"]
"""The system that a quality constraint is relative to."""
Rerank = Literal["none", "oracle", "mbr", "likelihood"]
"""Which hypothesis of a sentence comes first."""
METRIC_RANKINGS: tuple[Rerank, ...] = ("oracle", "mbr")
"""Those that compare texts by a metric."""
ReportLanguage = Literal["en", "zh"]
HeadMapping = Literal["learned", "same"]
"""How attention heads of student and teacher are paired."""
WeightType = Literal["float32", "float16", "bfloat16"]
"""Floating-point type of the weights of a model of transformers."""
ResponseFault = Literal["copied", "declined", "obeyed", "other_script", "other_language", "explained", "other_length"]
"""Why a response of a language model is no translation, although it has text."""
TrackerName = Literal["none", "tensorboard", "wandb", "trackio"]
"""Program that shows the log of a training."""

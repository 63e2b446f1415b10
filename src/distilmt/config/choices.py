"""Values of keys that several dataclasses and modules share."""

from typing import Literal

Metric = Literal["bleu", "chrf"]
"""Metric of a set of translations, or of one."""
CompressionGoal = Literal["smallest", "fastest"]
"""What the best compressed model is, among those that meet the quality constraint."""
ConstraintReference = Literal["teacher", "student"]
"""The system that a quality constraint is relative to."""
Rerank = Literal["none", "oracle", "mbr"]
"""Which hypothesis of a sentence comes first."""
ReportLanguage = Literal["en", "zh"]
HeadMapping = Literal["learned", "same"]
"""How attention heads of student and teacher are paired."""
WeightType = Literal["float32", "float16", "bfloat16"]
"""Floating-point type of the weights of a model of transformers."""
TrackerName = Literal["none", "tensorboard", "wandb", "trackio"]
"""Program that shows the log of a training."""

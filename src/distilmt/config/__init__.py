"""All options of a run. YAML keys and command-line flags are both derived from these dataclasses."""

from distilmt.config.augmentation import AugmentationConfig
from distilmt.config.corpus import CleaningConfig, CorpusConfig, SourceConfig, TokenizerConfig
from distilmt.config.export import (
    ComputeType,
    EvaluationConfig,
    ExportConfig,
    ExportFormat,
    LicenseConfig,
    ShortlistConfig,
)
from distilmt.config.run import RunConfig
from distilmt.config.student import Divergence, ObjectiveConfig, OnPolicyConfig, StudentConfig, Tail
from distilmt.config.teacher import EndpointConfig, LabelConfig, TeacherConfig
from distilmt.config.training import ModelConfig, TrainingConfig

__all__ = [
    "AugmentationConfig",
    "CleaningConfig",
    "ComputeType",
    "CorpusConfig",
    "Divergence",
    "EndpointConfig",
    "EvaluationConfig",
    "ExportConfig",
    "ExportFormat",
    "LabelConfig",
    "LicenseConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OnPolicyConfig",
    "RunConfig",
    "ShortlistConfig",
    "SourceConfig",
    "StudentConfig",
    "Tail",
    "TeacherConfig",
    "TokenizerConfig",
    "TrainingConfig",
]

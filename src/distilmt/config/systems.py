"""Names of a run's models, and of their exports: `student` in float32, `student-int8`."""

from __future__ import annotations

TEACHER, STUDENT, BASELINE = "teacher", "student", "baseline"
MODELS = (TEACHER, STUDENT, BASELINE)
"""The models of a run: names of their steps, in the order of reports."""


def type_suffix(compute_type: str) -> str:
    """End of the name of a CTranslate2 export: empty for float32, `-int8` for int8."""
    return "" if compute_type == "float32" else f"-{compute_type}"


def system_name(model: str, compute_type: str) -> str:
    """Name of a CTranslate2 export: `student` for float32, `student-int8` for int8."""
    return f"{model}{type_suffix(compute_type)}"

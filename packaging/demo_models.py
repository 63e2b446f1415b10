"""Pack the models that are installed with distilmt: the demo's teacher in 8 bits, and students in int8.

distilmt train-teacher configs/demo-teacher.yaml
distilmt train-teacher configs/demo-teacher-messages.yaml
python packaging/demo_models.py teacher runs/demo-teacher-messages
distilmt run configs/demo-student.yaml
python packaging/demo_models.py student runs/demo-student
distilmt run configs/images-en-reader.yaml
distilmt run configs/demo-images-student.yaml
python packaging/demo_models.py picture-student runs/demo-images-student
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file

from distilmt.models.int8_weights import save_int8
from distilmt.training.ctc_head import FILE as HEAD
from distilmt.utils import pretrained

_TEACHER_FILES = ("config.json", "generation_config.json", "source.spm", "target.spm", "vocab.json")
_TOKENIZER_CONFIG = "tokenizer_config.json"


def pack_teacher(run: Path) -> None:
    """Replace the installed teacher by that of a run; its card stays."""
    pretrained.TEACHER.mkdir(parents=True, exist_ok=True)
    for name in (*_TEACHER_FILES, _TOKENIZER_CONFIG):
        shutil.copyfile(run / "teacher" / name, pretrained.TEACHER / name)
    save_int8(load_file(run / "teacher" / "model.safetensors"), pretrained.TEACHER)


def pack_student(run: Path) -> None:
    """Replace the installed student by the int8 export of a run."""
    shutil.rmtree(pretrained.STUDENT, ignore_errors=True)
    shutil.copytree(run / "exports" / "student-int8", pretrained.STUDENT)


def pack_picture_student(run: Path) -> None:
    """The same for pictures, with the projection of CTC: other students start from its encoder."""
    shutil.rmtree(pretrained.PICTURE_STUDENT, ignore_errors=True)
    shutil.copytree(run / "exports" / "student-int8", pretrained.PICTURE_STUDENT)
    shutil.copyfile(run / "student" / HEAD, pretrained.PICTURE_STUDENT / HEAD)


if __name__ == "__main__":
    kind, directory = sys.argv[1:]
    packers = {"teacher": pack_teacher, "student": pack_student, "picture-student": pack_picture_student}
    packers[kind](Path(directory))

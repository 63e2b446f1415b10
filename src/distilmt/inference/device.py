"""The device and the compute type of an exported model."""

from __future__ import annotations

import logging

import ctranslate2

from distilmt.inference.manifest import ExportManifest
from distilmt.utils.arguments import choice
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import loads_cublas

logger = logging.getLogger(__name__)


def best_device() -> str:
    """`cuda` if CTranslate2 can use a GPU, else `cpu`."""
    if ctranslate2.get_cuda_device_count() == 0:
        return "cpu"
    if loads_cublas():
        return "cuda"
    logger.info("the GPU is not used, since CTranslate2 needs cuBLAS 12: pip install nvidia-cublas-cu12")
    return "cpu"


def usable_device(name: str) -> str:
    """The device of a name: `cpu`, `cuda`, or `auto` for the GPU if one is usable.

    Raises:
        UserError: it is none of these, or there is no GPU.
    """
    choice("device", name, ("cpu", "cuda", "auto"))
    if name == "cuda" and ctranslate2.get_cuda_device_count() == 0:
        raise UserError(
            "device is 'cuda', but CTranslate2 finds no GPU: use 'cpu', or 'auto' for a GPU if there is one"
        )
    return best_device() if name == "auto" else name


def compute_type_for(manifest: ExportManifest, device: str) -> str:
    """The compute type of a model: that of its weights, or a CPU substitute, of which CTranslate2 warns.

    Weights copied without conversion (`compute_in`) are converted when they are loaded.
    """
    compute_type = str(manifest.get("compute_in") or manifest.get("compute_type", "float32"))
    if device != "cpu" or compute_type in ctranslate2.get_supported_compute_types("cpu"):
        return compute_type if "compute_in" in manifest else "default"
    return "int8_float32" if compute_type.startswith("int") else "float32"

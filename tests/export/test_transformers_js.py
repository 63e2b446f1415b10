"""ONNX exports opened by transformers.js under Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import toy

from distilmt.models.marian_checkpoint import load_marian

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.slow

from distilmt.export.consumers import by_onnxruntime  # noqa: E402
from distilmt.export.onnx import export_onnx  # noqa: E402

SCRIPT = Path(__file__).parent / "consumers" / "transformers_js.mjs"
PACKAGE = "@huggingface/transformers@4.3.1"


@pytest.fixture(scope="session")
def node_project(tmp_path_factory):
    """A directory in which transformers.js is installed."""
    if os.environ.get("DISTILMT_NODE"):
        return Path(os.environ["DISTILMT_NODE"])  # one that was filled before
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not there")
    directory = tmp_path_factory.mktemp("node")
    # Scripts would download CUDA libraries.
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    process = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=900, check=False)
    if process.returncode:
        pytest.skip(f"transformers.js cannot be installed: {process.stderr[-200:]}")
    return directory


def by_transformers_js(project, export, texts, dtype, kind="shared"):
    process = subprocess.run(
        ["node", str(SCRIPT), str(export.parent), export.name, dtype, kind],
        cwd=project,
        input="\n".join(texts),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout)


@pytest.mark.parametrize("dtype", ["fp32", "q8"])
def test_it_translates_as_onnx_runtime_does(tmp_path, node_project, trained_model, shared_tokenizer, card, dtype):
    export_onnx(load_marian(trained_model), shared_tokenizer, tmp_path / "student-onnx", card)
    texts = [*toy.pairs(40, seed=99)[0], "Zürich 12 (a)", "ban " * 12, "ba </s> ri", "<pad> ban <unk>", "<0x41> ban"]
    ours = by_onnxruntime(tmp_path / "student-onnx", texts, quantized=dtype == "q8")
    reference = by_transformers_js(node_project, tmp_path / "student-onnx", texts, dtype)
    assert all(map(_alike, reference, ours)) and len(set(ours)) > 20


def _alike(reference, ours):
    """The same words. What does not end is cut elsewhere: transformers.js's pipeline generates 256 tokens at most."""
    shorter = min(len(reference), len(ours))
    return shorter > 0 and reference[:shorter] == ours[:shorter]


def test_two_tokenizers(tmp_path, node_project, split_tokenizer, card, diverse_model):
    model = diverse_model(split_tokenizer)
    export_onnx(model, split_tokenizer, tmp_path / "student-onnx", card)
    texts = toy.pairs(20, seed=9, chinese=True)[0]
    result = by_transformers_js(node_project, tmp_path / "student-onnx", texts, "fp32", "split")
    ours = by_onnxruntime(tmp_path / "student-onnx", texts)
    assert all(map(_alike, result, ours)) and len(set(ours)) > 10

"""Model directories: `config.json` names the architecture, and weights are loaded from safetensors only."""

from __future__ import annotations

from pathlib import Path

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.architectures import architecture, architecture_of
from distilmt.models.base import Seq2SeqModel
from distilmt.utils.checksums import check_step
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import fingerprint_files, read_json, write_json
from distilmt.utils.untrusted import check_configuration, loading


def load_model(directory: str | Path) -> Seq2SeqModel:
    """Load a model of any architecture, float32, in eval mode and without gradients.

    Raises:
        UserError: the directory has no loadable model, or files were changed since the run.
    """
    path = Path(directory)
    check_step(path)
    check_configuration(directory)
    # Marian's loader reports a directory that is no model of the table.
    model_class = architecture(architecture_of(path) or "marian")
    with loading(directory):
        return model_class.load(path).eval().requires_grad_(False)


def save_model(model: Seq2SeqModel, tokenizer: Tokenizer, directory: Path) -> None:
    """Write a model and its tokenizer in a run's format."""
    model.save(directory)
    write_tokenizer(tokenizer, directory, model.dimensions.max_positions)


def weights_fingerprint(directory: Path) -> str:
    """Fingerprint of a model directory's weights and configuration."""
    files = sorted([*directory.glob("*.safetensors"), *directory.glob("*config.json")])
    if not any(f.suffix == ".safetensors" for f in files):
        raise UserError(f"{directory} holds no .safetensors weights: convert the model with `save_pretrained` first")
    return fingerprint_files(*files)


def write_tokenizer(tokenizer: Tokenizer, directory: Path, max_positions: int) -> None:
    """Write the tokenizer files into a model directory, with the configuration that `AutoTokenizer` needs.

    `max_positions` becomes `model_max_length`.
    """
    tokenizer.copy_to(directory)
    path = directory / "tokenizer_config.json"
    config = {
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": not tokenizer.shared,
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        **(read_json(path) if path.exists() else {}),
        "model_max_length": max_positions,
        "split_special_tokens": True,  # `</s>` in the input is plain text, not the end token
    }
    write_json(path, config)

"""Publish an export on the Hugging Face hub; the card's facts become metadata that the hub shows and searches."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt import __version__
from distilmt.export.card import FACTS, README, body, language_codes, read_card
from distilmt.inference.hub import FILES, LOGIN, PREFIX, REPOSITORY, hub_errors, without_progress_bars
from distilmt.inference.manifest import reads_pictures
from distilmt.utils.checksums import check_checksums
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonMapping
from distilmt.utils.run_dir import write_text

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TAGS = ("distilmt", "translation", "knowledge-distillation")
_METRICS = {"bleu": "BLEU", "chrf": "chrF"}
_LICENSE_IDS = frozenset(
    (
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0"),
        *("cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0"),
        *("openrail", "unlicense", "wtfpl", "unknown", "other"),
    )
)
"""Licenses that the hub knows by these names; all others are `other` with a name of their own."""


@dataclass(frozen=True)
class Publication:
    """What the hub shows about a model that its card does not have."""

    test_set: str = ""
    """Name of the test set of the card's scores."""
    signatures: Mapping[str, str] = field(default_factory=dict)
    """sacreBLEU's signature by metric (`bleu`, `chrf`)."""
    base_model: str | None = None
    """The teacher's name on the hub."""
    dataset: str | None = None
    """The training text's name on the hub."""
    license: str | None = None
    """License of the published model; None: what the card has for teacher and training text."""


def push(directory: Path, repo_id: str, about: Publication, private: bool = False) -> str:
    """Upload an export in one commit; the repository is created if it does not exist.

    Files of an earlier export that this one does not have are deleted; all other files of the repository stay.

    Args:
        directory: an export with a card.
        repo_id: `OWNER/NAME`.
        about: facts for the metadata.
        private: whether a new repository is private.

    Returns:
        The address of the model's page.

    Raises:
        UserError: the export has no card or is damaged, the hub refuses the upload or cannot be reached, or
        huggingface_hub is missing.
    """
    if not REPOSITORY.fullmatch(repo_id):
        raise UserError(f"{repo_id!r} is not a name of the hub: write OWNER/NAME")
    if not (directory / FACTS).exists():
        raise UserError(f"{directory} has no model card ({FACTS} is missing): export the model again")
    check_checksums(directory)
    shown = f"{PREFIX}{repo_id}"
    with hub_errors(shown):
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.constants import is_offline_mode
    if get_token() is None and not is_offline_mode():
        raise UserError(f"{shown}: no token with write access is stored, which publishing needs: {LOGIN}")
    text = published_card(directory, repo_id, about)
    with hub_errors(shown), without_progress_bars():
        api = HfApi(library_name="distilmt", library_version=__version__)
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="distilmt-push-") as temporary:
            folder = shutil.copytree(directory, Path(temporary) / "model")
            write_text(folder / README, text)
            api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                delete_patterns=list(FILES),
                commit_message=f"Upload of distilmt {__version__}",
            )
    return str(url)


def published_card(directory: Path, repo_id: str, about: Publication) -> str:
    """The model card for the hub, in Markdown with all metadata."""
    facts = read_card(directory)
    use = str(facts["use"])
    name = f"{PREFIX}{repo_id}" if facts["library"] == "ctranslate2" else repo_id
    use = re.sub(r"DIRECTORY(?![/\w])", name, use)
    data = metadata(facts, repo_id, about)
    if reads_pictures(directory):
        data.pipeline_tag = "image-to-text"
    return f"---\n{data.to_yaml()}\n---\n\n{body(facts, use)}"


def metadata(facts: JsonMapping, repo_id: str, about: Publication) -> ModelCardData:
    """The metadata of a card, with its scores on the test set as `model-index`.

    Args:
        facts: the content of card.json.
        repo_id: `OWNER/NAME`.
        about: the other facts.
    """
    from huggingface_hub import ModelCardData

    license_id, license_name = _license(facts["licenses"], about.license)
    return ModelCardData(
        language=language_codes(facts),
        license=license_id,
        license_name=license_name,
        library_name=facts["library"],
        pipeline_tag="translation",
        tags=list(TAGS),
        base_model=about.base_model,
        datasets=None if about.dataset is None else [about.dataset],
        model_name=repo_id.partition("/")[2],
        eval_results=_results(facts, about) or None,
    )


def _results(facts: JsonMapping, about: Publication) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    signatures = about.signatures
    return [
        EvalResult(
            task_type="translation",
            task_name=f"Translation {facts['source']}-{facts['target']}",
            dataset_type=about.dataset or "test",
            dataset_name=about.test_set or "test set",
            dataset_split="test",
            metric_type=metric,
            metric_name=name,
            metric_value=round(float(facts["scores"][f"test {metric}"]), 2),
            metric_args={"sacrebleu_signature": signatures[metric]} if metric in signatures else None,
        )
        for metric, name in _METRICS.items()
        if f"test {metric}" in facts["scores"]
    ]


def _license(parts: Mapping[str, str | None], own: str | None) -> tuple[str, str | None]:
    """The hub's id of the license, and a name for those that it does not know.

    Without a license of its own a model has the one of its teacher and text, if both have the same.
    """
    stated = {name for name in parts.values() if name}
    if own or (len(stated) == 1 and all(parts.values())):
        name = own or stated.pop()
        return (name.lower(), None) if name.lower() in _LICENSE_IDS else ("other", name)
    if not stated:
        return "unknown", None
    return "other", ", ".join(f"{part}: {name}" for part, name in parts.items() if name)

import subprocess
import sys
from pathlib import Path

import pytest

from distilmt.data.pairs import Pair
from distilmt.data.readers import huggingface
from distilmt.utils.errors import UserError

datasets = pytest.importorskip("datasets")


def saved(path: Path, count: int = 3) -> str:
    """A data set with a translation feature and all three splits."""
    features = datasets.Features({"id": datasets.Value("int32"), "translation": datasets.Translation(["en", "it"])})
    parts = {}
    for split in ("train", "validation", "test"):
        rows = [{"en": f"{split} {n}", "it": f"{split} it {n}"} for n in range(count)]
        columns = {"id": list(range(count)), "translation": rows}
        parts[split] = datasets.Dataset.from_dict(columns, features=features)
    datasets.DatasetDict(parts).save_to_disk(path)
    return f"hf:{path}"


def test_translation_feature_and_own_splits(tmp_path: Path) -> None:
    splits = huggingface.read_dataset(saved(tmp_path / "data"), "en", "it")
    assert list(splits.train)[:2] == [Pair(1, "train 0", "train it 0"), Pair(2, "train 1", "train it 1")]
    assert splits.valid is not None
    assert splits.valid[2] == Pair(3, "validation 2", "validation it 2")
    assert splits.test is not None
    assert len(splits.test) == 3


def test_single_split_of_columns(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"it": ["uno"], "en": ["one"]}).save_to_disk(tmp_path / "data")
    splits = huggingface.read_dataset(f"hf:{tmp_path / 'data'}", "en", "it")
    assert (list(splits.train), splits.valid, splits.test) == ([Pair(1, "one", "uno")], None, None)


def test_wrong_columns(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no columns 'en' and 'de'"):
        list(huggingface.read_dataset(saved(tmp_path / "data"), "en", "de").train)


def test_not_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="save_to_disk") as caught:
        huggingface.read_dataset(f"hf:{tmp_path}", "en", "it")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="without a data set"):
        huggingface.read_dataset("hf:", "en", "it")


def test_hub_out_of_reach() -> None:
    code = """
from distilmt.data.readers import huggingface
from distilmt.utils.errors import UserError
try:
    huggingface.read_dataset("hf:nobody/nothing:en-it", "en", "it")
except UserError as error:
    print(error)
"""
    import os

    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert "cannot open the data set nobody/nothing" in done.stdout


def test_fingerprint(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "one"), saved(tmp_path / "two", 4)
    assert huggingface.data_fingerprint(one) == huggingface.data_fingerprint(one)
    assert huggingface.data_fingerprint(one) != huggingface.data_fingerprint(two)
    assert huggingface.data_fingerprint("hf:a/b:en-it") != huggingface.data_fingerprint("hf:a/b:en-de")

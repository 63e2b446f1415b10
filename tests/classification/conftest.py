"""Small data, and a Hugging Face text classifier built in code."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification

WORDS = ["red", "green", "blue", "big", "small", "old", "car", "tree", "house", "dog"]


@pytest.fixture(scope="session")
def data():
    """400 rows of 8 features in 3 classes: train X and y, test X and y."""
    X, y = make_classification(
        n_samples=400, n_features=8, n_informative=5, n_classes=3, n_clusters_per_class=1, random_state=0
    )
    names = np.array(["x", "y", "z"])[y]
    return X[:300], names[:300], X[300:], names[300:]


@pytest.fixture(scope="session")
def texts():
    """Texts that hold the name of a color, and the colors."""
    random = np.random.default_rng(1)
    sample = [random.choice(WORDS[3:], size=6) for _ in range(240)]
    colours = random.choice(WORDS[:3], size=240)
    return [" ".join([*words, colour]) for colour, words in zip(colours, sample, strict=True)], colours


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """A directory with a tiny untrained BERT over three colours, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    directory = tmp_path_factory.mktemp("bert")
    (directory / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    tokenizer = BertTokenizerFast(str(directory / "vocab.txt"), model_max_length=16)
    names = {0: "red", 1: "green", 2: "blue"}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=15,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        id2label=names,
        label2id={name: i for i, name in names.items()},
    )
    BertForSequenceClassification(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory

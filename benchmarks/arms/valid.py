"""Cross-entropy per target token of a saved model on the validation sentences, by the library's own forward pass."""

from __future__ import annotations

import json

import torch
from common import Spec, given, padded, sequences
from torch.nn import functional as F
from transformers import MarianMTModel


@torch.inference_mode()
def main(spec: Spec) -> None:
    model = MarianMTModel.from_pretrained(spec.save).eval()
    pad, total, tokens = model.config.pad_token_id, 0.0, 0
    pairs = list(zip(sequences(spec.work, "valid", "source"), sequences(spec.work, "valid", "target"), strict=True))
    for begin in range(0, len(pairs), 32):
        part = pairs[begin : begin + 32]
        source, labels = (padded([pair[i] for pair in part], value) for i, value in ((0, pad), (1, -100)))
        logits = model(input_ids=source, attention_mask=(source != pad).long(), labels=labels).logits
        total += float(F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))
        tokens += int((labels != -100).sum())
    print(json.dumps({"valid_loss": total / tokens}))


if __name__ == "__main__":
    main(given())

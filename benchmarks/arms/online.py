"""Distillation as in TextBrewer and torchdistill: teacher and student forward in every step, with all logits stored.

Plain PyTorch with transformers' forward passes: half cross-entropy against the label, half KL divergence from the
teacher's full distribution. Without `options.teacher` it is the plain loop, to measure its memory. The sentences of a
batch are distilmt's, padded to the longest as in these libraries.
"""

from __future__ import annotations

import torch
from common import Clock, Spec, begun, given
from own import batches, training_set
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import MarianMTModel

from distilmt.models.device import pick_device
from distilmt.models.packing import PackedTokens


def objective(
    student: MarianMTModel, teacher: MarianMTModel | None, inputs: dict[str, Tensor], smoothing: float
) -> Tensor:
    labels, logits = inputs["labels"], student(**inputs).logits.float()
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing)
    if teacher is None:
        return loss
    with torch.no_grad():
        words = teacher(**inputs).logits.float().softmax(-1)
    keep = labels != -100
    kl = F.kl_div(logits.log_softmax(-1)[keep], words[keep], reduction="batchmean")
    return 0.5 * loss + 0.5 * kl


def padded(words: PackedTokens, value: int) -> Tensor:
    sentences = words.ids.split(words.sentences.bincount().tolist())
    return pad_sequence(list(sentences), batch_first=True, padding_value=value)


def main(spec: Spec) -> None:
    torch.manual_seed(spec.seed)
    device = pick_device()
    student = begun(spec).train().to(device)
    name = spec.options.get("teacher")
    teacher = MarianMTModel.from_pretrained(f"{spec.work}/{name}").eval().to(device) if name else None
    optimizer = torch.optim.AdamW(student.parameters(), lr=spec.learning_rate, betas=(0.9, 0.98), eps=1e-9)
    clock, pad = Clock(spec), student.config.pad_token_id
    for batch, targets in batches(training_set(spec, student), spec):
        source, labels = padded(batch.source, pad), padded(batch.target, -100)
        inputs = {"input_ids": source, "attention_mask": (source != pad).long(), "labels": labels}
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.bf16):
            loss = objective(student, teacher, inputs, spec.label_smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if clock.over(len(targets.ids)):
            break
    clock.report()


if __name__ == "__main__":
    main(given())

"""Distillation as TextBrewer and torchdistill run it: teacher and student forward in every step, all logits kept.

Plain PyTorch over the library's own forward passes: cross-entropy with the label and KL divergence from the teacher's
whole distribution, each half. With `options.teacher` null there is no teacher: the plain loop, for its memory.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from common import Clock, Spec, given, padded, sequences
from torch.nn import functional as F
from transformers import MarianMTModel

_POOL = 64


def batches(spec: Spec, pad: int, longest: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token batches with little padding: neither loop is to win by its batches."""
    pairs = list(zip(sequences(spec.work, "train", "source"), sequences(spec.work, "train", "target"), strict=True))
    pairs = [pair for pair in pairs if max(map(len, pair)) <= longest]
    rng = random.Random(spec.seed)
    while True:
        rng.shuffle(pairs)
        ordered = sorted(pairs, key=lambda pair: max(map(len, pair)))
        cut, part = [], []
        for pair in ordered:
            if part and max(map(len, pair)) * (len(part) + 1) > spec.batch_tokens:
                cut.append(part)
                part = []
            part.append(pair)
        rng.shuffle(cut)
        for part in cut:
            yield padded([s for s, _ in part], pad), padded([t for _, t in part], -100)


def main(spec: Spec) -> None:
    torch.manual_seed(spec.seed)
    student = MarianMTModel.from_pretrained(f"{spec.work}/model", dropout=spec.dropout).train()
    name = spec.options.get("teacher")
    teacher = MarianMTModel.from_pretrained(f"{spec.work}/{name}").eval() if name else None
    optimizer = torch.optim.AdamW(student.parameters(), lr=spec.learning_rate, betas=(0.9, 0.98), eps=1e-9)
    clock, pad = Clock(spec), student.config.pad_token_id
    for source, labels in batches(spec, pad, student.config.max_position_embeddings):
        inputs = {"input_ids": source, "attention_mask": (source != pad).long(), "labels": labels}
        with torch.autocast("cpu", torch.bfloat16, enabled=spec.bf16):
            logits = student(**inputs).logits
            loss = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), label_smoothing=spec.label_smoothing)
            if teacher is not None:
                with torch.no_grad():
                    words = teacher(**inputs).logits.float().softmax(-1)
                keep = labels != -100
                kl = F.kl_div(logits.float().log_softmax(-1)[keep], words[keep], reduction="batchmean")
                loss = 0.5 * loss + 0.5 * kl
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if clock.over(int((labels != -100).sum())):
            break
    clock.report()


if __name__ == "__main__":
    main(given())

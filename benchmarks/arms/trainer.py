"""Training by Hugging Face's `Seq2SeqTrainer` with its own batching, collator and loss."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from common import Clock, Spec, begun, given, padded, sequences
from transformers import MarianMTModel, Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback


class Collator:
    """Pads like `DataCollatorForSeq2Seq`, without a tokenizer; stores the number of target tokens of each batch."""

    def __init__(self, model: MarianMTModel) -> None:
        self.model, self.pad, self.tokens = model, model.config.pad_token_id, []

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        source = padded([row["input_ids"] for row in rows], self.pad)
        labels = padded([row["labels"] for row in rows], -100)
        self.tokens.append(int((labels != -100).sum()))
        shifted = self.model.prepare_decoder_input_ids_from_labels(labels)
        mask = (source != self.pad).long()
        return {"input_ids": source, "attention_mask": mask, "decoder_input_ids": shifted, "labels": labels}


class Watch(TrainerCallback):
    """Callback that stops the training at the time limit."""

    def __init__(self, clock: Clock, collator: Collator) -> None:
        self.clock, self.collator = clock, collator

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = self.clock.over(self.collator.tokens[state.global_step - 1])


def main(spec: Spec) -> None:
    model = begun(spec)
    pairs = zip(sequences(spec.work, "train", "source"), sequences(spec.work, "train", "target"), strict=True)
    longest = model.config.max_position_embeddings
    data = [{"input_ids": s, "labels": t} for s, t in pairs if max(len(s), len(t)) <= longest]
    mean = sum(len(row["labels"]) for row in data) / len(data)
    clock, collator = Clock(spec), Collator(model)
    with tempfile.TemporaryDirectory() as directory:
        arguments = Seq2SeqTrainingArguments(
            output_dir=directory,
            use_cpu=not torch.cuda.is_available(),
            bf16=spec.bf16,
            max_steps=spec.updates or 10_000,
            per_device_train_batch_size=round(spec.options["tokens_per_update"] / mean),
            learning_rate=spec.learning_rate,
            warmup_steps=spec.warmup,
            adam_beta2=0.98,
            adam_epsilon=1e-9,
            label_smoothing_factor=spec.label_smoothing,
            seed=spec.seed,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
        )
        watch = Watch(clock, collator)
        trainer = Seq2SeqTrainer(model, arguments, collator, train_dataset=data, callbacks=[watch])
        trainer.train()
    if spec.save:
        model.float().save_pretrained(spec.save)
    clock.report()


if __name__ == "__main__":
    main(given())

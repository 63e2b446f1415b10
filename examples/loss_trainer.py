"""`DistillationLoss` in Hugging Face's `Trainer`: python examples/loss_trainer.py TEACHER STUDENT"""

import sys

import torch
from transformers import MarianMTModel, Trainer, TrainingArguments

import distilmt

teacher, student = (MarianMTModel.from_pretrained(name) for name in sys.argv[1:])
distillation = distilmt.DistillationLoss(alpha=0.7)


class DistillationTrainer(Trainer):
    """Adds the teacher to the loss."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The distillation loss of a batch; padded labels are -100."""
        outputs = model(**inputs)
        with torch.no_grad():
            teacher_logits = teacher.eval()(**inputs).logits
        loss = distillation(outputs.logits, inputs["labels"], teacher_logits=teacher_logits)
        return (loss, outputs) if return_outputs else loss


tokens = torch.randint(3, 100, (32, 10), generator=torch.Generator().manual_seed(1)).tolist()  # your own text here
rows = [{"input_ids": row, "attention_mask": [1] * len(row), "labels": row} for row in tokens]
settings = TrainingArguments("trainer", num_train_epochs=2, learning_rate=1e-3, report_to=[], save_strategy="no")
trainer = DistillationTrainer(student, settings, train_dataset=rows)
print(f"loss {trainer.train().training_loss:.3f}")

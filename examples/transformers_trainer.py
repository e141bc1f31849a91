"""transformers' Trainer with MixTask: the Trainer keeps its loop, the task gives the loss.

    python examples/transformers_trainer.py

Two ways, with the same result. A Trainer whose `compute_loss` calls the task adds nothing to the checkpoints,
but is for one process only, as it bypasses DDP; a model around the task works with any number of processes.
Mixing hinders memorising the wrong labels, 40 % of all. Prints the test accuracy on digits, in per cent.
"""

import tempfile
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification, set_seed

from timm_multimix import MixTask

MIX, EPOCHS, WRONG = "0.5*multimix(n=200, m=3, p=1) | 0.5*cutmix", 60, 0.4
INPUTS = {"image_size": 8, "patch_size": 2, "num_channels": 1, "num_labels": 10}
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}


class MixTrainer(Trainer):
    """A Trainer that trains by a MixTask and evaluates as it always does."""

    def __init__(self, mix: str, **options: Any) -> None:
        super().__init__(**options)
        self.task = MixTask(self.model, mix)
        # The loss is a mean over the batch: the Trainer is to divide it when it accumulates gradients.
        self.model_accepts_loss_kwargs = False

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **options: Any) -> Any:
        if not model.training:
            return super().compute_loss(model, inputs, *args, **options)
        return self.task.train()(inputs["pixel_values"], inputs["labels"])["loss"]


class Mixed(nn.Module):
    """A MixTask as a model that the Trainer knows how to train."""

    def __init__(self, model: nn.Module, mix: str) -> None:
        super().__init__()
        self.task = MixTask(model, mix)

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        result = self.task(pixel_values, labels)
        return {"loss": result["loss"], "logits": result["output"]}


def load() -> tuple[list[dict[str, Tensor]], list[dict[str, Tensor]]]:
    """Digits: every fifth to test on; of the others' labels 40 % are wrong."""
    digits, generator = load_digits(), torch.Generator().manual_seed(0)
    images, labels = torch.tensor(digits.images / 8 - 1).float()[:, None], torch.tensor(digits.target)
    wrong = (torch.rand(len(labels), generator=generator) < WRONG) & (torch.arange(len(labels)) % 5 > 0)
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (int(wrong.sum()),), generator=generator)) % 10
    rows = [{"pixel_values": x, "labels": y} for x, y in zip(images, labels, strict=True)]
    return [row for place, row in enumerate(rows) if place % 5], rows[::5]


def accuracy(way: str, mix: str) -> float:
    """Of a small transformer trained in one of the two ways, on the test images, in per cent."""
    set_seed(0)
    (train, test), model = load(), ViTForImageClassification(ViTConfig(**INPUTS, **SIZES))
    loop = {"num_train_epochs": EPOCHS, "per_device_train_batch_size": 64, "learning_rate": 2e-3}
    loop |= {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "logging_strategy": "no"}
    with tempfile.TemporaryDirectory() as output:
        options = {"args": TrainingArguments(output, use_cpu=True, **loop), "train_dataset": train}
        own = MixTrainer(mix, model=model, **options) if way == "compute_loss" else None
        trainer = own or Trainer(Mixed(model, mix), **options)
        trainer.train()
        logits, labels = trainer.predict(test)[:2]
        return 100 * float((logits.argmax(1) == labels).mean())


if __name__ == "__main__":
    for way, mix in (("no mixing", "none"), ("compute_loss", MIX), ("model around the task", MIX)):
        print(f"{way:24} {accuracy(way, mix):6.2f}")

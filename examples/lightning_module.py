"""MixTask in a LightningModule.

    pip install lightning
    python examples/lightning_module.py

The task is a module like any other: its loss is the training step's, its model what is saved and evaluated.
Two of five training labels are wrong. Prints the test accuracy on digits, in per cent, of two specs.
"""

import lightning
import timm
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from timm_multimix import MixTask

SPECS = ("none", "manifold_mixup | multimix(n=500, m=4, p=1)")
EPOCHS, WRONG = 12, 0.4


class MixModule(lightning.LightningModule):
    """A timm model that is trained by a mixer spec."""

    def __init__(self, mix: str, model_name: str = "test_resnet", num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        model = timm.create_model(model_name, num_classes=num_classes, in_chans=1)
        self.task = MixTask(model, mix, distill=0.2)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of a mixed batch."""
        return self.task(*batch)["loss"]

    def on_train_batch_end(self, *step: object) -> None:
        """Keep the teacher up to date; leave this out where there is none (distill=0)."""
        self.task.update_ema(self.global_step)

    def test_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Accuracy of the plain model: in eval mode nothing is mixed."""
        images, labels = batch
        hits = self.task(images, labels)["output"].argmax(1) == labels
        self.log("accuracy", 100 * hits.float().mean(), batch_size=len(labels))

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """The step that all randomness of mixing is a function of."""
        checkpoint["mix_step"] = self.task.get_task_state()

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        self.task.load_task_state(checkpoint["mix_step"])  # type: ignore[arg-type]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.task.trainable_module.parameters(), lr=5e-3)


def load() -> tuple[DataLoader, DataLoader]:
    """Digits as images of 16 pixels: every fifth to test on; of the others' labels 40 % are wrong."""
    digits, generator = load_digits(), torch.Generator().manual_seed(0)
    small = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    images, labels = (
        torch.nn.functional.interpolate(small, scale_factor=2) * 2 - 1,
        torch.tensor(digits.target),
    )
    test = torch.arange(len(images)) % 5 == 0
    wrong = (torch.rand(len(labels), generator=generator) < WRONG) & ~test
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (int(wrong.sum()),), generator=generator)) % 10
    train = TensorDataset(images[~test], labels[~test])
    return DataLoader(train, 64, shuffle=True), DataLoader(TensorDataset(images[test], labels[test]), 64)


if __name__ == "__main__":
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    for mix in SPECS:
        lightning.seed_everything(0)
        trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", enable_model_summary=False, **quiet)
        module, (train, test) = MixModule(mix), load()
        trainer.fit(module, train)
        print(f"{mix:44} {trainer.test(module, test, verbose=False)[0]['accuracy']:6.2f}")

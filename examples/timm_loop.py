"""A plain timm loop: `create_mixer` instead of `timm.data.Mixup`, and nothing else changed.

    python examples/timm_loop.py

Where a loop had

    mixup = timm.data.Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, num_classes=10)
    images, targets = mixup(images, labels)

it can now mix by any spec of mixers at the input. Two of five training labels are wrong, and training is long
enough to memorise some of them, which mixing hinders. Prints the test accuracy on digits, in per cent.
"""

import timm
import torch
from sklearn.datasets import load_digits
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch.utils.data import DataLoader, TensorDataset

from timm_multimix import create_mixer

SPECS = ("none", "mixup(alpha=0.8) | cutmix", "per_sample(fmix | 0.5*none)")
EPOCHS, WRONG = 12, 0.4


def load() -> tuple[TensorDataset, TensorDataset]:
    """Digits as images of 16 pixels: every fifth to test on; of the others' labels 40 % are wrong."""
    digits, generator = load_digits(), torch.Generator().manual_seed(0)
    small = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    images = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear") * 2 - 1
    test = torch.arange(len(images)) % 5 == 0
    labels = torch.tensor(digits.target)
    wrong = (torch.rand(len(labels), generator=generator) < WRONG) & ~test
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (int(wrong.sum()),), generator=generator)) % 10
    return TensorDataset(images[~test], labels[~test]), TensorDataset(images[test], labels[test])


def train(mix: str) -> torch.nn.Module:
    """A timm model trained by the spec `mix`."""
    torch.manual_seed(0)
    model: torch.nn.Module = timm.create_model("test_resnet", num_classes=10, in_chans=1)
    loader = DataLoader(load()[0], batch_size=64, shuffle=True, drop_last=True)
    optimizer = create_optimizer_v2(model, "adamw", lr=5e-3)
    scheduler = CosineLRScheduler(optimizer, t_initial=EPOCHS)
    criterion = SoftTargetCrossEntropy()
    mixer = create_mixer(mix, num_classes=10, smoothing=0.1)
    model.train()
    for epoch in range(EPOCHS):
        for images, labels in loader:
            images, targets = mixer(images, labels)
            loss = criterion(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step(epoch + 1)
    return model


@torch.no_grad()
def accuracy(model: torch.nn.Module) -> float:
    """On the test images, in per cent."""
    images, labels = load()[1].tensors
    return 100 * (model.eval()(images).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    for mix in SPECS:
        print(f"{mix:32} {accuracy(train(mix)):6.2f}")

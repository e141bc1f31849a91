"""A loop with Accelerate: the task is prepared like a model, for any number of processes.

    python examples/accelerate_loop.py
    accelerate launch --num_processes 2 examples/accelerate_loop.py

Two of five training labels are wrong, and training is long enough to memorise them, which mixing hinders.
Prints the test accuracy on digits, in per cent, of two specs.
"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from timm_multimix import MixTask

SPECS, EPOCHS, WRONG = ("none", "mixup(alpha=8)"), 60, 0.4


def load() -> tuple[TensorDataset, TensorDataset]:
    """Digits [b, 64]: every fifth to test on; the others to train on, of whose labels 40 % are wrong."""
    digits, generator = load_digits(), torch.Generator().manual_seed(0)
    images, labels = torch.tensor(digits.data / 8 - 1).float(), torch.tensor(digits.target)
    test = torch.arange(len(images)) % 5 == 0
    wrong = (torch.rand(len(labels), generator=generator) < WRONG) & ~test
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (int(wrong.sum()),), generator=generator)) % 10
    return TensorDataset(images[~test], labels[~test]), TensorDataset(images[test], labels[test])


def accuracy(mix: str) -> float:
    """Train a small network by the spec `mix`; its accuracy on the test images, in per cent."""
    set_seed(0)
    accelerator = Accelerator()
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    task, (train, test) = MixTask(model, mix), load()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    loader = DataLoader(train, batch_size=64, shuffle=True)
    task, optimizer, loader = accelerator.prepare(task, optimizer, loader)
    task.train()
    for _ in range(EPOCHS):
        for images, labels in loader:
            loss = task(images, labels)["loss"]
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
    images, labels = (part.to(accelerator.device) for part in test.tensors)
    with torch.no_grad():
        hits = model.eval()(images).argmax(1) == labels
    return 100 * hits.float().mean().item()


def main() -> None:
    """Print a line for each spec, in the first process only."""
    for mix in SPECS:
        score = accuracy(mix)
        Accelerator().print(f"{mix:24} {score:6.2f}", flush=True)


if __name__ == "__main__":
    main()

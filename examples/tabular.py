"""Tabular data: a small network on scikit-learn's breast cancer table, with and without MultiMix.

    python examples/tabular.py

Prints the test accuracy, in per cent, of networks trained with few labels by two specs.
"""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from timm_multimix import MixTask

SPECS = ("none", "multimix(n=500, m=3, p=1)")


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Standardised columns [b, 30] and classes [b]: 60 rows to train on, 509 to test on."""
    table = load_breast_cancer()
    parts = train_test_split(table.data, table.target, train_size=60, stratify=table.target, random_state=0)
    scaler = StandardScaler().fit(parts[0])
    train, test = (torch.tensor(scaler.transform(part)).float() for part in parts[:2])
    return train, torch.tensor(parts[2]), test, torch.tensor(parts[3])


def accuracy(mix: str, seed: int) -> float:
    """Train a network by the spec `mix`; its accuracy on the test rows, in per cent."""
    train, labels, test, answers = load()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    task = MixTask(model, mix, seed=seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    task.train()
    for _ in range(200):
        batch = torch.randperm(len(train))[:32]
        loss = task(train[batch], labels[batch])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    task.eval()
    with torch.no_grad():
        return 100 * (task(test, answers)["output"].argmax(1) == answers).float().mean().item()


def main() -> None:
    """Print one line for each spec: the mean over three seeds."""
    for mix in SPECS:
        scores = [accuracy(mix, seed) for seed in range(3)]
        print(f"{mix:28} {sum(scores) / len(scores):6.2f}")


if __name__ == "__main__":
    main()

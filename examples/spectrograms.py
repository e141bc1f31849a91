"""Audio-like data: a timm model classifies noisy tones from their log spectrograms, mixed as images.

    python examples/spectrograms.py

A spectrogram is an image of one channel, [b, 1, frequencies, times]: any timm model takes it with
`in_chans=1`, and any mixer mixes it. Prints the test accuracy, in per cent, of three specs.
"""

import math

import timm
import torch
from torch import Tensor, nn

from timm_multimix import MixTask

SPECS = ("none", "mixup(alpha=0.2)", "per_sample(0.5*none | 0.5*mixup)")
RATE, SAMPLES, CLASSES, STEPS = 8_000, 4_096, 5, 200


def tones(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Waves [count, SAMPLES] of gliding tones in noise, and their classes: by how fast the pitch rises."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    hertz = 1_500 + 1_000 * torch.rand(count, 1, generator=generator)
    rise = 1_500.0 * (labels - CLASSES // 2).view(-1, 1)
    seconds = (torch.arange(SAMPLES) - SAMPLES / 2) / RATE
    cycles = hertz * seconds + rise * seconds.square() / 2
    noise = torch.randn(count, SAMPLES, generator=generator)
    return torch.sin(2 * math.pi * cycles) + 1.5 * noise, labels


def spectrogram(waves: Tensor) -> Tensor:
    """Waves -> standardised log powers [b, 1, 32, 32]."""
    transform = torch.stft(waves, 64, 128, window=torch.hann_window(64), return_complex=True)
    power = (transform[:, :32, :32].abs().square() + 1e-3).log()
    return ((power - power.mean((1, 2), keepdim=True)) / power.std((1, 2), keepdim=True)).unsqueeze(1)


def accuracy(mix: str) -> float:
    """Train a timm model by the spec `mix`; its accuracy on other tones, in per cent."""
    torch.manual_seed(0)
    model: nn.Module = timm.create_model("test_resnet", num_classes=CLASSES, in_chans=1)
    task, (waves, labels) = MixTask(model, mix), tones(160, seed=1)
    images = spectrogram(waves)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=STEPS)
    task.train()
    for batch in (torch.randperm(len(images))[:32] for _ in range(STEPS)):
        loss = task(images[batch], labels[batch])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    task.eval()
    test, answers = tones(400, seed=2)
    with torch.no_grad():
        return 100 * (task(spectrogram(test), answers)["output"].argmax(1) == answers).float().mean().item()


def main() -> None:
    """Print one line for each spec."""
    for mix in SPECS:
        print(f"{mix:36} {accuracy(mix):6.2f}")


if __name__ == "__main__":
    main()

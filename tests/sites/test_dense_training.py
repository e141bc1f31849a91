"""After training by Dense MultiMix alone, timm's own evaluation agrees with the mean of the positions."""

import pytest
import timm
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

import timm_multimix.models  # noqa: F401
from timm_multimix import MixTask
from timm_multimix.sites.positions import dense_forward

pytestmark = pytest.mark.slow

SIZE = 32


def digits():
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).div(16).unsqueeze(1)
    images = interpolate(images, (SIZE, SIZE), mode="bilinear").expand(-1, 3, -1, -1) - 0.5
    held_out = torch.arange(len(images)) % 5 == 0
    labels = torch.tensor(data.target)
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def train(model, images, labels, epochs):
    task = MixTask(model, "dense_multimix(p=1, m=4, n=200)")
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    steps = epochs * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64)[: len(images) // 64]:
            task(images[batch], labels[batch])["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


VIT = {"img_size": SIZE, "patch_size": 8, "depth": 3, "embed_dim": 64, "num_heads": 4}


@pytest.mark.parametrize(
    ("name", "options", "epochs"),
    [
        ("vit_tiny_patch16_224", VIT, 25),
        ("deit_tiny_distilled_patch16_224", VIT, 25),
        ("preact_resnet10_cifar", {"widths": (8, 16, 32, 64)}, 6),
    ],
)
def test_evaluation_agrees_with_the_mean_of_positions(name, options, epochs):
    torch.manual_seed(0)
    (images, labels), (test_images, test_labels) = digits()
    model = timm.create_model(name, num_classes=10, **options)
    train(model, images, labels, epochs=epochs)
    model.eval()
    with torch.no_grad():
        dense = dense_forward(model, test_images)
        places = dense.positions[:-1] if dense.class_tokens else dense.positions
        as_timm = (model(test_images).argmax(1) == test_labels).float().mean().item()
        by_positions = (places.softmax(-1).mean(0).argmax(1) == test_labels).float().mean().item()
    assert len(places) > 1
    assert by_positions > 0.75
    assert abs(as_timm - by_positions) < 0.05

"""The guide's table of timm.data.Mixup's arguments as specs: both are drawn from and compared."""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from timm.data import Mixup
from timm.data.mixup import rand_bbox_minmax

from timm_multimix import create_mixer
from timm_multimix import functional as F

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
SECTION = GUIDE.split("## From timm.data.Mixup")[1].split("\n## ")[0]
ROWS = [
    (arguments, spec.replace("\\|", "|"))
    for arguments, spec in re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", SECTION, re.M)
]
B, BATCHES = 6, 150


def observe(mix):
    """The labels' weights in mixed batches, and how often partners, cuts and shared weights occur."""
    weights, facts = [], Counter()
    for _ in range(BATCHES):
        images = torch.arange(1.0, B + 1).view(B, 1, 1, 1).expand(B, 1, 10, 10).clone()
        mixed, soft = mix(images, torch.arange(B))
        own = soft.diagonal()
        weights += own.tolist()
        facts["of the reversed batch"] += int(((soft + soft.flip(1)).diagonal() > 1 - 1e-5).sum())
        varied = mixed.flatten(1).amax(1) - mixed.flatten(1).amin(1) > 1e-4
        blended = (mixed[:, 0, 0, 0] - torch.arange(1.0, B + 1)).abs() > 1e-4
        facts["cut"] += int(varied.sum())
        facts["blended"] += int((blended & ~varied).sum())
        facts["one weight in the batch"] += int((own - own[0]).abs().max() < 1e-6)
        facts["one weight in a pair"] += int((own - own.flip(0)).abs().max() < 1e-6)
        facts["both of a pair cut"] += int((varied == varied.flip(0)).all())
    return np.array(weights), facts


def test_the_table_has_every_argument():
    named = {name for arguments, _ in ROWS for name in re.findall(r"(\w+)=", arguments)}
    said = set(re.findall(r"\b(multi_label|num_classes|label_smoothing)\b", SECTION))
    assert named | said == {*Mixup.__init__.__code__.co_varnames[1 : Mixup.__init__.__code__.co_argcount]}


@pytest.mark.parametrize(("arguments", "spec"), ROWS)
def test_a_row_of_the_table_draws_as_timm_does(arguments, spec):
    np.random.seed(0)
    theirs = Mixup(**eval(f"dict({arguments})"), num_classes=B, label_smoothing=0)
    weights, facts = observe(theirs)
    ours, found = observe(create_mixer(spec, num_classes=B, seed=3))
    for fact in ("one weight in the batch", "one weight in a pair", "both of a pair cut"):
        assert (facts[fact] == BATCHES) == (found[fact] == BATCHES), fact
    assert facts["of the reversed batch"] == found["of the reversed batch"] == B * BATCHES
    # Weights that a batch or a pair shares are one number: as many independent ones are compared.
    step = B if facts["one weight in the batch"] == BATCHES else 1
    assert stats.ks_2samp(weights[::step], ours[::step]).pvalue > 1e-3
    for fact in ("cut", "blended"):
        error = 4 * np.sqrt(facts[fact] / (B * BATCHES) * B * 2 * B * BATCHES) + 1
        assert abs(facts[fact] - found[fact]) <= error, fact


@pytest.mark.parametrize("mode", ["batch", "elem", "pair"])
def test_by_the_same_lambdas_mixes_and_targets_are_the_same(mode, monkeypatch):
    images, labels = torch.rand(6, 3, 4, 4), torch.randint(9, (6,))
    lam = {"batch": [0.3], "pair": [0.3, 0.8, 0.6]}.get(mode, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    drawn = 0.3 if mode == "batch" else np.array(lam)
    monkeypatch.setattr(np.random, "beta", lambda *_, **__: drawn)
    module = sys.modules["timm_multimix.functional.mixing"]  # its name in the package is a function's
    monkeypatch.setattr(module, "beta_variates", lambda *_, **__: torch.tensor(lam))
    mixed, soft = Mixup(0.8, mode=mode, num_classes=9, label_smoothing=0.2)(images.clone(), labels)
    options = {"partner": "pair" if mode == "pair" else "reversed", "per_sample": mode == "elem"}
    spec = f"mixup(0.8, {', '.join(f'{name}={value!r}' for name, value in options.items())})"
    ours, targets = create_mixer(spec, num_classes=9, smoothing=0.2)(images, labels)
    torch.testing.assert_close(ours, mixed)
    torch.testing.assert_close(targets, soft)


def test_labels_of_many_classes_are_smoothed_towards_a_half():
    hot = torch.randint(2, (4, 5)).float()
    _, theirs = Mixup(1.0, prob=0.0, num_classes=5, label_smoothing=0.2, multi_label=True)(hot, hot)
    mixer = create_mixer("none", num_classes=5, smoothing=0.2, multi_label=True)
    torch.testing.assert_close(mixer(torch.rand(4, 3, 2, 2), hot)[1], theirs)


def test_sides_and_places_of_boxes_between_bounds():
    """Every box of timm's is as frequent: a side of int(0.2 h) to int(0.8 h) - 1 pixels, any place inside."""
    height, width, runs = 6, 9, 6_000
    draw = F.cutmix.draw(torch.zeros(runs, 1, height, width), per_sample=True, minmax=(0.2, 0.8))
    rows, columns = (draw.keep[:, 0] == 0).any(2), (draw.keep[:, 0] == 0).any(1)
    assert torch.equal(draw.keep[:, 0] == 0, rows.unsqueeze(2) & columns.unsqueeze(1))
    torch.testing.assert_close(draw.lam, draw.keep.mean((1, 2, 3)))
    for length, cells in ((height, rows), (width, columns)):
        start, side = cells.int().argmax(1), cells.sum(1)
        found = Counter(zip(start.tolist(), side.tolist(), strict=True))
        low, high = int(length * 0.2), int(length * 0.8)
        expected = {
            (s, k): 1 / (high - low) / (length - k + 1)
            for k in range(low, high)
            for s in range(length - k + 1)
        }
        keys = list(expected)
        assert set(found) <= set(keys)
        counts = [found[key] for key in keys]
        assert stats.chisquare(counts, [runs * expected[key] for key in keys]).pvalue > 1e-4
    yl, yu, xl, xu = (np.array(each) for each in rand_bbox_minmax((height, width), (0.2, 0.8), count=runs))
    assert {*(yu - yl)} == {*rows.sum(1).tolist()}
    assert {*(xu - xl)} == {*columns.sum(1).tolist()}

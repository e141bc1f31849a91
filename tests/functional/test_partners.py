"""Partners: in reverse order, by closeness of the labels (C-Mixup), and given as indices."""

import math
from collections import Counter

import pytest
import torch
from scipy import stats

from tests.networks import SmallNet
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "labels",
    [torch.tensor([0.0, 0.4, 1.5, 1.5]), torch.tensor([[0.0, 1.0], [0.5, 1.0], [2.0, 0.0], [2.0, 0.5]])],
)
def test_partners_are_drawn_by_the_kernel(labels):
    """Frequencies against exp(-|y_i - y_j|^2 / (2 s^2)), one pair at a time."""
    source, runs, bandwidth = generator(), 3_000, 0.8
    drawn = torch.stack([F.closest_partners(labels, bandwidth, source) for _ in range(runs)])
    points = labels.view(4, -1).tolist()
    for i in range(4):
        weights = [math.exp(-(math.dist(points[i], points[j]) ** 2) / (2 * bandwidth**2)) for j in range(4)]
        expected = [runs * weight / sum(weights) for weight in weights]
        assert stats.chisquare(drawn[:, i].bincount(minlength=4).numpy(), expected).pvalue > 1e-4


def test_classes_are_as_far_apart_as_their_one_hot_targets():
    labels = torch.tensor([0, 2, 1, 0, 2])
    hot = torch.nn.functional.one_hot(labels, 3).float()
    for bandwidth in (0.01, 1.0, 100.0):
        by_class, by_target = (F.closest_partners(each, bandwidth, generator(3)) for each in (labels, hot))
        assert torch.equal(by_class, by_target)


def test_a_narrow_kernel_finds_close_labels_far_from_zero():
    labels = torch.tensor([1e6, 1e6 + 1, 5.0, 1e6, 5.0])
    allowed = [{0, 3}, {1}, {2, 4}, {0, 3}, {2, 4}]
    met = Counter()
    for seed in range(40):
        drawn = F.closest_partners(labels, 1e-9, generator(seed)).tolist()
        assert all(j in those for j, those in zip(drawn, allowed, strict=True))
        met.update(enumerate(drawn))
    assert set(met) == {(i, j) for i, those in enumerate(allowed) for j in those}


def test_c_mixup_is_mixup_with_these_partners():
    x, labels = torch.rand(6, 3, 4, 4), torch.rand(6)
    mixed, draw = F.c_mixup(x, labels, 2.0, 0.3, per_sample=True, generator=generator(5))
    assert torch.equal(draw.partner, F.closest_partners(labels, 0.3, generator(5)))
    for i, (lam, j) in enumerate(zip(draw.lam, draw.partner, strict=True)):
        torch.testing.assert_close(mixed[i], lam * x[i] + (1 - lam) * x[j])
        torch.testing.assert_close(
            draw.targets(labels.unsqueeze(1))[i], lam * labels[i : i + 1] + (1 - lam) * labels[j]
        )


SPECS = ["mixup", "sample_pairing", "multi_mixup", "cutmix", "resizemix", "fmix", "gridmix", "smoothmix"]
SPECS += ["saliencymix", "cutmix(per_sample=True, partner=('closest', 0.1))", "c_mixup(bandwidth=0.1)"]


@pytest.mark.parametrize("spec", SPECS)
def test_any_mixer_of_pairs_takes_its_partners_by_the_labels(spec):
    """Of two groups of labels no one meets an example of the other: pixels stay within the group's."""
    values = torch.tensor([0.0, 9.0, 0.1, 9.1, 0.05, 9.05])
    images = values.view(6, 1, 1, 1).expand(6, 1, 8, 8)
    mixer = create_mixer(spec if "(" in spec else f"{spec}(partner=('closest', 0.1))", num_classes=1, seed=2)
    for labels in (values, values.unsqueeze(1)):
        mixed, soft = mixer(images, labels)
        high = (values > 1).repeat(len(mixed) // 6)
        assert torch.equal(mixed.flatten(1).amin(1) > 1, high)
        assert torch.equal(mixed.flatten(1).amax(1) > 1, high)
        assert torch.equal(soft[:, 0] > 1, high)


def test_in_training_a_mixer_meets_its_own_class_where_the_kernel_is_narrow():
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 0, 1, 2, 2])
    task = MixTask(SmallNet(), "mixup(partner=('closest', 0.01))").train()
    out = task(torch.rand(6, 3, 8, 8), labels)
    torch.testing.assert_close(out["target"], torch.nn.functional.one_hot(labels, 4).float())


@pytest.mark.parametrize("name", ["alignmixup", "catch_up_mix"])
def test_both_halves_of_a_mixer_have_the_same_partners(name):
    branches = create_mixer(f"{name}(partner='reversed')").branches
    assert [step.mixer.arguments["partner"] for _, step in branches] == ["reversed"] * 2


def test_wrong_partners_are_refused():
    x = torch.zeros(3, 2)
    assert F.mixup.draw(x, partner=torch.tensor([2, 2, 0])).partner.tolist() == [2, 2, 0]
    assert F.mixup.draw(x, partner="reversed").partner.tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match=r"partner must be indices \[3\], got torch.int64 of shape \[2\]"):
        F.mixup(x, partner=torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"partner must be indices \[3\], got torch.float32 of shape \[3\]"):
        F.mixup(x, partner=torch.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match=r"such as those of closest_partners\(labels\), got 'closest'"):
        F.mixup(x, partner="closest")
    for spec in ("mixup(partner='nearest')", "mixup(partner=('closest', 0))", "fmix(partner='pair')"):
        with pytest.raises(UsageError, match=r"partner must be random, reversed,"):
            create_mixer(spec)
    with pytest.raises(UsageError, match="per_sample must be False with partner='pair'"):
        create_mixer("cutmix(per_sample=True, partner='pair')")
    with pytest.raises(UsageError, match="alpha and correct must be left out with minmax"):
        create_mixer("transmix(0.5, minmax=(0.2, 0.8))")
    with pytest.raises(UsageError, match=r"labels must be one for each of the 6 examples"):
        MixTask(SmallNet(), "multi_mixup(k=2) >> c_mixup(place='hidden', layers=1)").train()(
            torch.rand(3, 3, 8, 8), torch.arange(3)
        )

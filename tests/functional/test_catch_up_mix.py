"""Catch-up Mix against a loop over the channels."""

import torch

from tests.networks import SmallNet
from timm_multimix import MixTask
from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_channels_that_lag_behind_are_kept():
    x, targets = torch.rand(6, 7, 3, 4) * torch.rand(6, 7, 1, 1), torch.rand(6, 5)
    mixed, draw = F.catch_up_mix(x, 1.0, generator=generator(4))
    lam = float(F.beta_variates(1, 1.0, generator=generator(4)))
    norms = [[float(x[i, c].norm()) for c in range(7)] for i in range(6)]
    shares = [[norm / sum(row) for norm in row] for row in norms]
    assert 0 < int(lam * 7) < 7
    for i, j in enumerate(draw.partner.tolist()):
        order = sorted(range(7), key=lambda c: shares[i][c] - shares[j][c])
        kept = order[: int(lam * 7)]
        for c in range(7):
            assert torch.equal(mixed[i, c], x[i if c in kept else j, c]) or i == j
        torch.testing.assert_close(draw.targets(targets)[i], lam * targets[i] + (1 - lam) * targets[j])


def test_in_training_layers_and_cutmix_of_the_images_take_turns():
    torch.manual_seed(0)
    task = MixTask(SmallNet(), "catch_up_mix(p=0.5, layers=(1, 2))").train()
    names = {(step.mixer.name, step.mixer.place) for step in (task.choose_step(k) for k in range(40))}
    assert names == {("catch_up_mix", "hidden"), ("cutmix", "input")}
    shares = dict(zip(("hidden", "input"), (share for share, _ in task.mixture.branches), strict=True))
    assert shares == {"hidden": 0.5, "input": 0.5}

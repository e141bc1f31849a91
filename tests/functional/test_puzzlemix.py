"""Puzzle Mix: minimum cuts and transports against all labelings and permutations, energies against loops."""

import itertools
import math

import pytest
import torch

from timm_multimix import functional as F
from timm_multimix.functional.puzzlemix import _unit_range, best_transport, mask_energy, move_patches


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def energy(labels, unary, vertical, horizontal):
    """The energy of one labeling [h, w], term by term."""
    h, w, count = unary.shape
    total = sum(unary[i, j, labels[i][j]].item() for i in range(h) for j in range(w))
    top = count - 1
    for i in range(h):
        for j in range(w):
            if i + 1 < h:
                total += vertical[i, j].item() * ((labels[i][j] - labels[i + 1][j]) / top) ** 2
            if j + 1 < w:
                total += horizontal[i, j].item() * ((labels[i][j] - labels[i][j + 1]) / top) ** 2
    return total


@pytest.mark.parametrize("labels", [2, 3, 4])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3)])
def test_minimum_cuts_find_the_best_of_all_labelings(size, labels):
    b, (h, w) = 3, size
    unary = torch.randn(b, h, w, labels, generator=generator())
    vertical = torch.rand(b, h - 1, w, generator=generator(1)) * 2
    horizontal = torch.rand(b, h, w - 1, generator=generator(2)) * 2
    found = F.quadratic_labeling(unary, vertical, horizontal)
    for k in range(b):
        terms = unary[k], vertical[k], horizontal[k]
        candidates = itertools.product(range(labels), repeat=h * w)
        best = min(energy([c[i * w : (i + 1) * w] for i in range(h)], *terms) for c in candidates)
        assert energy(found[k].tolist(), *terms) == pytest.approx(best, abs=1e-3)


def test_labelings_of_a_large_batch_are_those_of_its_images():
    """The steps of the energies are as many as the flow of the whole batch allows."""
    unary = torch.randn(64, 16, 16, 3, generator=generator())
    weights = torch.full((64, 15, 16), 0.3)
    together = F.quadratic_labeling(unary, weights, weights.mT)
    for k in (0, 31, 63):
        alone = F.quadratic_labeling(unary[k : k + 1], weights[:1], weights[:1].mT)
        terms = unary[k], weights[0], weights[0].mT
        both = [energy(labels.tolist(), *terms) for labels in (together[k], alone[0])]
        assert both[0] == pytest.approx(both[1], abs=1e-2)


def test_without_pairwise_costs_every_cell_takes_its_cheapest():
    unary = torch.randn(3, 4, 5, 4, generator=generator())
    found = F.quadratic_labeling(unary, torch.zeros(3, 3, 5), torch.zeros(3, 4, 4))
    assert torch.equal(found, unary.argmin(-1))


def slow_energy(z, own, other, salient, lam, beta, gamma, eta):
    """Equation 4 for one mask [g, g] of zeros and ones, from the pixels of two images [ch, h, w]."""
    g, side = len(z), own.shape[-1]
    cell, pool = side // g, math.gcd(side // g, 4)
    image = {1: own, 0: other}
    total = 0.0
    for i, j in itertools.product(range(g), range(g)):
        total += salient[1 - z[i][j]][i, j].item()
        total += eta / g**2 * -math.log((lam if z[i][j] else 1 - lam) + 1e-8)
    strength = beta / 16 / g
    neighbours = [(i, j, i + 1, j) for i in range(g - 1) for j in range(g)]
    neighbours += [(i, j, i, j + 1) for i in range(g) for j in range(g - 1)]
    for i, j, k, m in neighbours:
        first, second = image[z[i][j]], image[z[k][m]]
        differences = []
        for step in range(0, cell, pool):
            if k > i:
                squares = (slice(k * cell - pool, k * cell), slice(m * cell + step, m * cell + step + pool))
                across = (slice(k * cell, k * cell + pool), squares[1])
            else:
                squares = (slice(k * cell + step, k * cell + step + pool), slice(m * cell - pool, m * cell))
                across = (squares[0], slice(m * cell, m * cell + pool))
            means = first[:, *squares].mean((1, 2)) - second[:, *across].mean((1, 2))
            differences.append(means.abs().mean().item())
        phi = sum(differences) / len(differences)
        total += strength * ((z[i][j] - z[k][m]) ** 2 + gamma * phi)
    return total


@pytest.mark.parametrize(("side", "g"), [(8, 2), (16, 2), (6, 3)])
def test_the_masks_energy_is_the_equation(side, g):
    """Up to a constant, which no mask changes: for masks of zeros and ones, all differences agree."""
    x = torch.rand(2, 3, side, side, generator=generator())
    salient = torch.rand(2, g, g, generator=generator(1))
    salient = salient / salient.sum((1, 2), keepdim=True)
    lam, partner = torch.tensor([0.3]), torch.tensor([1, 0])
    terms = mask_energy(x, partner, salient, lam, 2, beta=5.0, gamma=0.7, eta=0.2)
    shifts = []
    for bits in itertools.islice(itertools.product((0, 1), repeat=g * g), 64):
        z = [list(bits[i * g : (i + 1) * g]) for i in range(g)]
        fast = energy(z, *(term[0] for term in terms))
        # salient[1] is what the partner loses where z = 1, salient[0] what the example loses elsewhere.
        slow = slow_energy(z, x[0], x[1], {1: salient[0], 0: salient[1]}, 0.3, 5.0, 0.7, 0.2)
        shifts.append(fast - slow)
    assert max(shifts) - min(shifts) == pytest.approx(0, abs=1e-5)


def test_half_masks_cost_half_the_saliency_and_the_binomial_prior():
    salient = torch.full((1, 2, 2), 0.25)
    x, partner, lam = torch.zeros(1, 3, 4, 4), torch.tensor([0]), torch.tensor([0.3])
    unary, _, _ = mask_energy(x, partner, salient, lam, labels=3, beta=1, gamma=0, eta=1)
    prior = [0.49, 0.42, 0.09]
    expected = torch.tensor([0.25 - math.log(p + 1e-8) / 4 for p in prior])
    torch.testing.assert_close(unary[0, 0, 0], expected)


def test_transport_is_the_best_of_all_permutations():
    salient = torch.rand(3, 2, 2, generator=generator())
    z = torch.tensor([[[1.0, 0], [0, 0]], [[0.5, 0], [1, 0]], [[0, 0], [0, 0]]])
    source = best_transport(salient, z, 0.3)

    def cost(k, places):
        """Patch i goes to places[i]."""
        distance = [abs(i // 2 - p // 2) ** 2 + abs(i % 2 - p % 2) ** 2 for i, p in enumerate(places)]
        seen = [(z[k].flatten()[p] > 0).item() * salient[k].flatten()[i].item() for i, p in enumerate(places)]
        return sum(0.3 * d - s for d, s in zip(distance, seen, strict=True))

    for k in range(3):
        found = [source[k].tolist().index(i) for i in range(4)]
        best = min(cost(k, places) for places in itertools.permutations(range(4)))
        assert cost(k, found) == pytest.approx(best, abs=1e-6)
    assert source[2].tolist() == [0, 1, 2, 3]


def test_patches_are_moved_whole():
    x = torch.rand(2, 3, 6, 4)
    source = torch.tensor([[3, 0, 1, 2], [0, 1, 2, 3]])
    moved = move_patches(x, source)
    torch.testing.assert_close(moved[1], x[1], rtol=0, atol=0)
    for place, patch in enumerate(source[0].tolist()):
        (i, j), (k, m) = divmod(place, 2), divmod(patch, 2)
        there = moved[0, :, 3 * i : 3 * i + 3, 2 * j : 2 * j + 2]
        assert torch.equal(there, x[0, :, 3 * k : 3 * k + 3, 2 * m : 2 * m + 2])


@pytest.mark.parametrize("grid", [2, 4])
@pytest.mark.parametrize("transport", [False, True])
def test_the_mix_is_the_mask_over_moved_images(transport, grid):
    x, saliency, targets = torch.rand(4, 3, 16, 16), torch.rand(4, 16, 16), torch.rand(4, 5)
    mixed, draw = F.puzzlemix(x, saliency, transport=transport, grid=grid, generator=generator())
    assert set(draw.keep.unique().tolist()) <= {0.0, 0.5, 1.0}
    for i, j in enumerate(draw.partner.tolist()):
        own = move_patches(x[i : i + 1], draw.sources[0][i : i + 1])[0]
        other = move_patches(x[j : j + 1], draw.sources[1][i : i + 1])[0]
        torch.testing.assert_close(mixed[i], draw.keep[i] * own + (1 - draw.keep[i]) * other)
        assert draw.lam[i].item() == pytest.approx(draw.keep[i].mean().item())
        expected = draw.lam[i] * targets[i] + (1 - draw.lam[i]) * targets[j]
        torch.testing.assert_close(draw.targets(targets)[i], expected)
        if not transport:
            torch.testing.assert_close(own, x[i], rtol=0, atol=0)


def test_the_mask_shows_the_salient_halves_of_both():
    """One image is salient on the left, its partner on the right: each is seen there, without transport."""
    saliency = torch.zeros(2, 16, 16)
    saliency[0, :, :8], saliency[1, :, 8:] = 1, 1
    x, options = torch.zeros(2, 3, 16, 16), {"alpha": 20.0, "transport": False, "grid": 4}
    for seed in range(20):
        _, draw = F.puzzlemix(x, saliency, **options, generator=generator(seed))
        if draw.partner.tolist() == [1, 0]:
            assert torch.equal(draw.keep[0, 0, 0], torch.arange(16) < 8)
            assert torch.equal(draw.keep[1, 0, 0], torch.arange(16) >= 8)
            break
    else:
        pytest.fail("no draw paired the two")


def test_transport_brings_the_salient_patch_into_view():
    """Hidden at home, the one salient patch goes to a neighbour that is seen, if that is cheap enough."""
    salient = torch.tensor([[[1.0, 0], [0, 0]]])
    hidden_at_home = torch.tensor([[[0.0, 1], [1, 1]]])
    (moved,) = best_transport(salient, hidden_at_home, 0.4).tolist()
    assert moved.index(0) in (1, 2)
    (stayed,) = best_transport(salient, hidden_at_home, 0.6).tolist()
    assert stayed == [0, 1, 2, 3]


def test_all_grids_that_divide_are_drawn():
    x, saliency = torch.rand(2, 1, 24, 8), torch.rand(2, 24, 8)
    draws = [
        F.puzzlemix.draw(x, saliency, transport_grid=None, generator=generator(seed)) for seed in range(30)
    ]
    assert {draw.sources[0].shape[1] for draw in draws} == {4, 16, 64}
    with pytest.raises(ValueError, match="images must have even sides for puzzlemix, got 9 x 9"):
        F.puzzlemix(torch.rand(2, 1, 9, 9), torch.rand(2, 9, 9))
    with pytest.raises(ValueError, match="grid of puzzlemix must divide both sides of images"):
        F.puzzlemix(x, saliency, grid=5)


@pytest.mark.parametrize("grid", [2, 4, 8])
def test_patches_of_four_pixels_move_on_masks_of_larger_cells(grid):
    """At 32 pixels: the authors' patches, for which the saliency is pooled anew and the mask made finer."""
    x, saliency, price = torch.rand(3, 3, 32, 32), torch.rand(3, 32, 32) ** 20, 0.01
    options = {"grid": grid, "transport_cost": price, "beta": 0.0, "eta": 0.0}
    draw = F.puzzlemix.draw(x, saliency, **options, generator=generator())
    coarse = F.puzzlemix.draw(x, saliency, **options, transport_grid=None, generator=generator())
    assert torch.equal(draw.keep, coarse.keep)
    assert torch.equal(draw.lam, coarse.lam)
    assert coarse.sources[0].shape == (3, grid**2)
    seen = draw.keep[:, 0, ::4, ::4]
    pooled = saliency.view(3, 8, 4, 8, 4).sum((2, 4))
    pooled = pooled / pooled.sum((1, 2), keepdim=True)
    for source, shares, z in zip(draw.sources, (pooled, pooled[draw.partner]), (seen, 1 - seen), strict=True):
        best = best_transport(shares, z, price)
        for k in range(3):
            costs = [transport_cost(plan[k].tolist(), shares[k], z[k], price) for plan in (source, best)]
            assert costs[0] == pytest.approx(costs[1], abs=1e-6)
        assert (source != torch.arange(64)).any()


def transport_cost(source, salient, z, price):
    """The cost of bringing patch source[j] to each place j, less the saliency seen there (equation 6)."""
    g = len(salient)
    total = 0.0
    for place, patch in enumerate(source):
        (i, j), (k, m) = divmod(place, g), divmod(patch, g)
        total += price * ((i - k) ** 2 + (j - m) ** 2) / (g - 1) ** 2
        total -= salient[k, m].item() if z[i, j] > 0 else 0.0
    return total


@pytest.mark.parametrize(("grid", "transport_grid"), [(8, 4), (3, 8), (4, 6), (2, 7)])
def test_patches_that_do_not_fit_are_the_masks_cells(grid, transport_grid):
    x, saliency = torch.rand(2, 1, 24, 24), torch.rand(2, 24, 24)
    draw = F.puzzlemix.draw(x, saliency, grid=grid, transport_grid=transport_grid, generator=generator())
    assert draw.sources[0].shape == (2, grid**2)


def test_lambda_follows_the_prior_on_images_without_saliency():
    """With even saliency and no smoothness the prior alone chooses: the mask takes its likeliest value."""
    x, saliency = torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4)
    for seed in range(30):
        _, draw = F.puzzlemix(x, saliency, labels=2, beta=0.0, grid=2, generator=generator(seed))
        lam = F.beta_variates(1, 1.0, generator=generator(seed)).item()
        assert draw.lam.item() == float(lam > 0.5)


def test_values_are_stretched_channel_by_channel():
    x = torch.randn(3, 2, 4, 4) * torch.tensor([1.0, 50.0]).view(1, 2, 1, 1)
    stretched = _unit_range(x)
    torch.testing.assert_close(stretched.amin((0, 2, 3)), torch.zeros(2))
    torch.testing.assert_close(stretched.amax((0, 2, 3)), torch.ones(2))

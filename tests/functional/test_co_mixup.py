"""Co-Mixup: the objective against loops over the formula, labelings against all, mosaics pixel by pixel."""

import itertools
import math

import pytest
import torch

from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.functional.co_mixup import Mosaic, compatibility, input_costs
from timm_multimix.functional.labeling.joint import _parting, joint_labeling

BONUS = 5e-4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def instance(n, g, seed=0, omega=0.3, eta=0.05):
    """Costs [n, g, g], A [n, n] and a start [n, g, g] of one partition."""
    random = generator(seed)
    cells = torch.rand(n, g, g, generator=random, dtype=torch.float64) ** 2
    cells = cells / cells.sum((1, 2), keepdim=True)
    prior = torch.distributions.Dirichlet(torch.full((n,), 2.0)).sample()
    related = compatibility(torch.rand(n, 8, 8, generator=random), omega).double()
    return input_costs(cells, prior, eta), related, torch.randint(n, (n, g, g), generator=random)


def peaked(b, side, seed=0):
    """Saliency [b, side, side] that is in few places, as gradients are."""
    coarse = torch.rand(b, 1, 4, 4, generator=generator(seed)) ** 4
    return torch.nn.functional.interpolate(coarse, (side, side)).squeeze(1)


def counted(output, n):
    """How many cells [n] the inputs have in an output [g, g, 2], halves as halves."""
    numbers = [0.0] * n
    for row in output:
        for one, other in row:
            numbers[one] += 0.5
            numbers[other] += 0.5
    return numbers


def difference(cell, neighbour):
    """The distance of two cells: 0, 1, or 1/4 between halves and one of the two, as in the authors' code."""
    if cell == neighbour:
        return 0.0
    kinds = sorted((len(set(cell)), len(set(neighbour))))
    return 0.25 if kinds == [1, 2] and set(cell) & set(neighbour) else 1.0


def slow_own(output, costs, beta):
    """Unary costs and smoothness of one output, from pairs of inputs."""
    g, total = len(output), 0.0
    for i, j in itertools.product(range(g), range(g)):
        one, other = output[i][j]
        total += (costs[one, i, j].item() + costs[other, i, j].item()) / 2 - BONUS * (one != other)
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < g and m < g:
                total += beta / g**2 * difference(tuple(output[i][j]), tuple(output[k][m]))
    return total


def slow_objective(outputs, costs, related, beta, gamma):
    """sum_j own(j) + gamma / g^2 sum_j sum_j' not j n_j A n_j', without threshold."""
    n, g = len(costs), costs.shape[-1]
    numbers = [counted(output, n) for output in outputs]
    total = sum(slow_own(output, costs, beta) for output in outputs)
    for j, k in itertools.permutations(range(len(outputs)), 2):
        for one, other in itertools.product(range(n), range(n)):
            total += gamma / g**2 * numbers[j][one] * related[one, other].item() * numbers[k][other]
    return total


def slow_penalty(others, related, gamma, threshold, g):
    """2 gamma / g^2 v for every input, v = A sum of the others' numbers, where it is above the threshold."""
    n = len(related)
    numbers = [counted(output, n) for output in others]
    penalties = []
    for one in range(n):
        v = sum(related[one, k].item() * number[k] for number in numbers for k in range(n))
        penalties.append(2 * gamma / g**2 * v if v > threshold * g**2 else 0.0)
    return penalties


def modular(costs, penalties, beta=0.3):
    """The energy of one output with the others as they are."""

    def energy(output):
        extra = sum(p * c for p, c in zip(penalties, counted(output, len(costs)), strict=True))
        return slow_own(output, costs, beta) + extra

    return energy


def solved(costs, related, start, beta=0.32, gamma=1.0, threshold=0.0, iterations=3, **options):
    (found,) = joint_labeling([costs], [related], [start], beta, gamma, threshold, iterations, **options)
    return found.tolist()


@pytest.mark.parametrize(("n", "halves"), [(6, False), (3, True), (2, True)])
def test_the_objective_never_rises(n, halves):
    """Without threshold it is linear in each output. With three inputs the halves on offer stay the same."""
    falls = 0
    for seed in range(4):
        costs, related, start = instance(n, 3, seed)
        start_pairs = start.unsqueeze(-1).repeat(1, 1, 1, 2).tolist()
        energies = [slow_objective(start_pairs, costs, related, 0.3, 0.2)]
        for iterations in range(1, 6):
            options = {"iterations": iterations, "halves": halves, "resolve": False}
            outputs = solved(costs, related, start, 0.3, 0.2, **options)
            energies.append(slow_objective(outputs, costs, related, 0.3, 0.2))
            assert energies[-1] <= energies[-2] + 1e-9
        falls += energies[-1] < energies[1] - 1e-9
    assert falls


@pytest.mark.parametrize("threshold", [0.0, 0.6])
@pytest.mark.parametrize("n", [2, 3])
def test_the_last_output_is_the_best_of_all_labelings(n, threshold):
    """It is labeled after all others, which stay: by their penalty, and without threshold the objective."""
    for seed in range(3):
        costs, related, start = instance(n, 2, seed)
        options = {"threshold": threshold, "iterations": 2, "halves": False, "resolve": False}
        *others, last = solved(costs, related, start, 0.3, 0.4, **options)
        penalties = slow_penalty(others, related, 0.4, threshold, 2)

        energy = modular(costs, penalties)
        candidates = [
            [[(a, a), (b, b)], [(c, c), (d, d)]] for a, b, c, d in itertools.product(range(n), repeat=4)
        ]
        best = min(candidates, key=energy)
        assert energy(last) == pytest.approx(energy(best), abs=1e-9)
        if threshold == 0:
            objectives = [slow_objective([*others, z], costs, related, 0.3, 0.4) for z in candidates]
            found = slow_objective([*others, last], costs, related, 0.3, 0.4)
            assert found == pytest.approx(min(objectives), abs=1e-9)


def test_with_halves_the_last_output_is_the_best_of_all_mixed_labelings():
    for seed in range(4):
        costs, related, start = instance(2, 2, seed)
        first, last = solved(costs, related, start, 0.3, 0.4, resolve=False)
        penalties = slow_penalty([first], related, 0.4, 0.0, 2)
        kinds = ((0, 0), (1, 1), (0, 1))

        energy = modular(costs, penalties)
        before = solved(costs, related, start, 0.3, 0.4, iterations=2, resolve=False)[1]
        # Halves are offered of inputs that the output showed before.
        offered = kinds if all(counted(before, 2)) else kinds[:2]
        candidates = ([[a, b], [c, d]] for a, b, c, d in itertools.product(offered, repeat=4))
        assert energy(last) == pytest.approx(min(map(energy, candidates)), abs=1e-9)


def test_halves_come_from_the_second_iteration_on_and_only_if_wanted():
    costs, related, start = instance(6, 4)
    for iterations, halves, expected in ((1, True, False), (2, True, True), (4, False, False)):
        outputs = solved(costs, related, start, iterations=iterations, halves=halves, threshold=0.83)
        cells = [cell for output in outputs for row in output for cell in row]
        assert any(one != other for one, other in cells) == expected


def overlap(outputs, n):
    numbers = [counted(output, n) for output in outputs]
    pairs = itertools.permutations(range(len(outputs)), 2)
    return sum(a * b for j, k in pairs for a, b in zip(numbers[j], numbers[k], strict=True))


@pytest.mark.parametrize("threshold", [0.0, 0.83])
def test_the_penalty_makes_outputs_diverse(threshold):
    for seed in range(4):
        costs, related, start = instance(8, 4, seed, omega=0.0)
        parts = costs, related, start
        with_it, without = (solved(*parts, gamma=gamma, threshold=threshold) for gamma in (1.0, 0.0))
        assert overlap(with_it, 8) < overlap(without, 8)


def test_partitions_are_solved_as_if_alone():
    parts = [instance(n, 3, seed) for seed, n in enumerate((5, 5, 3))]
    together = joint_labeling(*map(list, zip(*parts, strict=True)), 0.32, 1.0, 0.83, 4)
    for part, found in zip(parts, together, strict=True):
        assert found.tolist() == solved(*part, threshold=0.83, iterations=4)


def test_outputs_of_the_same_inputs_are_to_part():
    shown = [[1, 1, 0, 0], [2, 2, 0, 0], [0, 0, 4, 0], [0, 0, 4, 0], [1, 3, 0, 0], [0, 0.5, 0, 3.5]]
    counts = torch.tensor([shown], dtype=torch.float64)
    expected = torch.zeros(6, 4, dtype=torch.float64)
    present = [[k for k, number in enumerate(row) if number > 0] for row in shown]
    for j, k in itertools.combinations(range(6), 2):
        if present[j] == present[k] and len(present[j]) > 1:
            expected[j, present[j][0]] = expected[k, present[j][1]] = 1
    assert torch.equal(_parting(counts)[0], expected)
    assert expected.sum() == 4


def test_parting_acts_in_the_last_iteration():
    """Two inputs, no penalty: both outputs are the same without it."""
    cells = torch.full((2, 2, 2), 0.2, dtype=torch.float64)
    cells[0, 0], cells[1, 1] = 0.3, 0.3
    start = torch.zeros(2, 2, 2, dtype=torch.long)
    parts = -cells, torch.eye(2, dtype=torch.float64), start
    options = {"beta": 0.0, "gamma": 1.0, "threshold": 9.0, "iterations": 2, "halves": False}
    assert len({str(output) for output in solved(*parts, **options, resolve=False)}) == 1
    first, second = solved(*parts, **options, resolve=True)
    assert first == [[[1, 1]] * 2] * 2
    assert second == [[[0, 0]] * 2] * 2


def test_costs_are_the_saliency_and_the_prior():
    cells, prior = torch.rand(3, 2, 2), torch.tensor([0.2, 0.8, 0.0])
    costs = input_costs(cells, prior, 0.4)
    for k, i, j in itertools.product(range(3), range(2), range(2)):
        expected = -cells[k, i, j].item() - 0.1 * math.log(prior[k].item() + 1e-8)
        assert costs[k, i, j].item() == pytest.approx(expected, rel=1e-5)


def test_compatibility_is_by_the_distance_of_salient_places():
    saliency, places = torch.zeros(3, 16, 16), [(1, 2), (9, 2), (5, 10)]
    for k, (i, j) in enumerate(places):
        saliency[k, i : i + 4, j : j + 4] = 1
    found = compatibility(saliency, 0.1)
    distances = [[abs(a - c) + abs(b - d) for c, d in places] for a, b in places]
    total = sum(map(sum, distances))
    for k, m in itertools.product(range(3), range(3)):
        expected = 0.9 * (k == m) + 0.1 * 3 * distances[k][m] / total
        assert found[k, m].item() == pytest.approx(expected)
    torch.testing.assert_close(compatibility(saliency[:1], 0.1), torch.tensor([[0.9]]))
    assert compatibility(torch.rand(3, 2, 2), 0.1).isfinite().all()


def test_mosaics_show_their_cells_and_weigh_their_labels():
    x, targets, g = torch.rand(5, 3, 8, 12), torch.rand(5, 4), 4
    first = torch.randint(5, (5, g, g), generator=generator())
    second = torch.where(torch.rand(5, g, g) < 0.5, first, torch.randint(5, (5, g, g)))
    draw = Mosaic(first, second)
    mixed, soft = draw(x), draw.targets(targets)
    for k, i, j in itertools.product(range(5), range(8), range(12)):
        one, other = first[k, i // 2, j // 3], second[k, i // 2, j // 3]
        torch.testing.assert_close(mixed[k, :, i, j], (x[one, :, i, j] + x[other, :, i, j]) / 2)
    for k in range(5):
        pairs = zip(first[k].flatten().tolist(), second[k].flatten().tolist(), strict=True)
        expected = sum((targets[a] + targets[b]) / 2 for a, b in pairs) / g**2
        torch.testing.assert_close(soft[k], expected)
    torch.testing.assert_close(draw.shares(5).sum(1), torch.ones(5))
    whole = Mosaic(first, first)(x)
    assert torch.equal(whole[2, :, :2, :3], x[first[2, 0, 0], :, :2, :3])


@pytest.mark.parametrize("b", [1, 2, 13])
def test_examples_meet_within_their_partition(b):
    x, saliency = torch.rand(b, 3, 8, 8), peaked(b, 8)
    mixed, draw = F.co_mixup(x, saliency, partition=5, generator=generator(1))
    shares = draw.shares(b)
    torch.testing.assert_close(shares.sum(1), torch.ones(b))
    part = torch.arange(b) // 5
    assert (shares[part.unsqueeze(0) != part.unsqueeze(1)] == 0).all()
    assert mixed.shape == x.shape
    if b == 1:
        torch.testing.assert_close(mixed, x)
    else:
        assert ((shares > 0).sum(1) > 1).any()


def test_more_than_two_examples_are_in_a_mix():
    _, draw = F.co_mixup(torch.rand(20, 3, 8, 8), peaked(20, 8), generator=generator())
    assert (draw.shares(20) > 0).sum(1).max() > 2


def test_both_salient_halves_are_shown():
    """Two inputs alone are below the threshold: every cell shows the one that is salient there."""
    saliency = torch.zeros(2, 16, 16)
    saliency[0, :, :8], saliency[1, :, 8:] = 1, 1
    _, draw = F.co_mixup(torch.rand(2, 3, 16, 16), saliency, eta=0.0, resolve=False, generator=generator())
    assert (draw.first[:, :, :2] == 0).all()
    assert (draw.second[:, :, 2:] == 1).all()
    assert torch.equal(draw.first, draw.second)


def test_a_favoured_input_takes_everything_by_the_prior():
    x, saliency = torch.rand(3, 1, 8, 8), torch.ones(3, 8, 8)
    for seed in range(5):
        _, draw = F.co_mixup(x, saliency, alpha=2.0, gamma=0.0, eta=1.0, generator=generator(seed))
        prior = F.dirichlet_weights(1, 3, 2.0, None, generator(seed))[0]
        assert (draw.first == prior.argmax()).all()


def test_layout_and_integers():
    x = torch.rand(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    saliency = torch.rand(4, 8, 8)
    mixed, draw = F.co_mixup(x, saliency, generator=generator())
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed, draw(x.contiguous()))
    assert draw((255 * x).to(torch.uint8)).dtype == torch.float32
    hot = torch.eye(4, dtype=torch.long)
    torch.testing.assert_close(draw.targets(hot), draw.shares(4))


def test_wrong_shapes_and_pairs_say_what_is_needed():
    x, saliency = torch.rand(2, 1, 9, 9), torch.rand(2, 9, 9)
    with pytest.raises(ValueError, match="grid of co_mixup must divide both sides of images of 9 x 9, got 4"):
        F.co_mixup(x, saliency)
    with pytest.raises(ValueError, match=r"saliency must be \[2, 9, 9\], got"):
        F.co_mixup(x, saliency[:, :8])
    with pytest.raises(UsageError, match="Mosaic"):
        F.pair_form(Mosaic(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)), 1, x.device)

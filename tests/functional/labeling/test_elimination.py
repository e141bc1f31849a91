"""Labelings of grids: elimination against all labelings, swaps against all moves, energies against loops."""

import itertools

import pytest
import torch

from timm_multimix import functional as F
from timm_multimix.functional.labeling.swap import labeling_energy, possible_labels

SIZES = [(2, 2, 4), (2, 3, 3), (3, 2, 3), (1, 4, 3), (4, 1, 3), (2, 3, 2), (1, 1, 5), (2, 2, 1)]


def problem(h, w, k, p=4, scale=1.0, seed=0):
    """Unary costs, any symmetric distances and a start, of p problems."""
    generator = torch.Generator().manual_seed(seed)
    unary = scale * torch.randn(p, h, w, k, generator=generator, dtype=torch.float64)
    distance = torch.rand(p, k, k, generator=generator, dtype=torch.float64)
    distance = (distance + distance.mT).masked_fill(torch.eye(k, dtype=torch.bool), 0)
    return unary, distance, torch.randint(k, (p, h, w), generator=generator)


def potts(p, k):
    return (1 - torch.eye(k, dtype=torch.float64)).expand(p, k, k)


def slow_energy(z, unary, distance, strength):
    """The energy of one labeling [h, w], term by term."""
    h, w, _ = unary.shape
    total = sum(unary[i, j, z[i][j]].item() for i in range(h) for j in range(w))
    for i, j in itertools.product(range(h), range(w)):
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < h and m < w:
                total += strength * distance[z[i][j], z[k][m]].item()
    return total


def all_labelings(h, w, k):
    for flat in itertools.product(range(k), repeat=h * w):
        yield [list(flat[i * w : (i + 1) * w]) for i in range(h)]


def test_the_energy_is_the_sum_of_its_terms():
    unary, distance, z = problem(3, 4, 5)
    fast = labeling_energy(unary, distance, 0.7, z)
    slow = [slow_energy(z[k].tolist(), unary[k], distance[k], 0.7) for k in range(4)]
    assert fast.tolist() == pytest.approx(slow)


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("size", SIZES)
def test_elimination_finds_the_best_of_all_labelings(size, scale):
    h, w, k = size
    unary, distance, start = problem(h, w, k, scale=scale)
    found = F.grid_labeling(unary, distance, 0.7, start)
    for n in range(len(unary)):
        terms = unary[n], distance[n], 0.7
        best = min(slow_energy(z, *terms) for z in all_labelings(h, w, k))
        assert slow_energy(found[n].tolist(), *terms) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("size", [(2, 3, 2), (3, 2, 2), (1, 4, 2), (3, 3, 2)])
def test_swaps_of_two_labels_find_the_best_of_all_labelings(size):
    unary, distance, start = problem(*size)
    found = F.swap_labeling(unary, distance, 0.7, start)
    best = F.grid_labeling(unary, distance, 0.7, start)
    energies = [labeling_energy(unary, distance, 0.7, z) for z in (found, best)]
    torch.testing.assert_close(*energies, rtol=0, atol=1e-3)


def best_of_one_swap(z, unary, distance, strength):
    """The least energy after any one swap: all choices of the cells of two labels between these two."""
    h, w, k = unary.shape
    cells = list(itertools.product(range(h), range(w)))
    least = slow_energy(z, unary, distance, strength)
    for first, second in itertools.combinations(range(k), 2):
        members = [(i, j) for i, j in cells if z[i][j] in (first, second)]
        for choice in itertools.product((first, second), repeat=len(members)):
            moved = [list(row) for row in z]
            for (i, j), label in zip(members, choice, strict=True):
                moved[i][j] = label
            least = min(least, slow_energy(moved, unary, distance, strength))
    return least


@pytest.mark.parametrize("distances", ["potts", "any"])
def test_no_swap_is_better_than_where_swaps_end(distances):
    unary, distance, start = problem(2, 3, 4)
    distance = potts(4, 4) if distances == "potts" else distance
    swapped = F.swap_labeling(unary, distance, 0.8, start)
    best = F.grid_labeling(unary, distance, 0.8, start)
    for n in range(len(unary)):
        terms = unary[n], distance[n], 0.8
        ends, began = slow_energy(swapped[n].tolist(), *terms), slow_energy(start[n].tolist(), *terms)
        assert best_of_one_swap(swapped[n].tolist(), *terms) == pytest.approx(ends, abs=1e-3)
        assert ends <= began + 1e-9
        least = slow_energy(best[n].tolist(), *terms)
        assert least <= min(ends, best_of_one_swap(start[n].tolist(), *terms)) + 1e-9


def test_labels_left_out_are_in_no_best_labeling_and_some_are():
    unary, distance, start = problem(2, 3, 3, scale=2.0)
    possible = possible_labels(unary, distance, 0.7)
    assert 0.3 < possible.double().mean() < 0.9
    best = F.grid_labeling(unary, distance, 0.7, start)
    assert possible.gather(-1, best.unsqueeze(-1)).all()
    for n in range(len(unary)):
        energies = {str(z): slow_energy(z, unary[n], distance[n], 0.7) for z in all_labelings(2, 3, 3)}
        least = min(all_labelings(2, 3, 3), key=lambda z: energies[str(z)])
        assert all(possible[n, i, j, least[i][j]] for i in range(2) for j in range(3))


def test_problems_too_large_for_tables_are_swapped_beside_the_others():
    unary, distance, start = problem(4, 4, 6, p=5, scale=0.3)
    unary[0] *= 100
    distance = potts(5, 6)
    mixed = F.grid_labeling(unary, distance, 0.2, start, largest=1)
    swapped = F.swap_labeling(unary, distance, 0.2, start)
    exact = F.grid_labeling(unary, distance, 0.2, start, largest=10**9)
    energies = [labeling_energy(unary, distance, 0.2, z) for z in (exact, mixed, swapped, start)]
    assert (energies[0] <= energies[1] + 1e-9).all()
    torch.testing.assert_close(energies[1], energies[2])
    assert (energies[2] < energies[3]).all()
    # The first one's cells have one possible label each: a table of one sum.
    assert torch.equal(mixed[0], unary[0].argmin(-1))


def test_wide_grids_are_swapped():
    unary, distance, start = problem(2, 40, 2, p=1)
    found = F.grid_labeling(unary, distance, 0.5, start)
    # The same grid turned has rows of two cells, which are eliminated.
    turned = F.grid_labeling(unary.transpose(1, 2), distance, 0.5, start.mT)
    energies = [labeling_energy(unary, distance, 0.5, z) for z in (found, turned.mT)]
    torch.testing.assert_close(*energies, rtol=0, atol=1e-2)


def test_inputs_are_not_changed():
    unary, distance, start = problem(3, 3, 4)
    copies = unary.clone(), distance.clone(), start.clone()
    F.grid_labeling(unary, distance, 0.5, start)
    F.swap_labeling(unary, distance, 0.5, start)
    assert all(map(torch.equal, copies, (unary, distance, start)))

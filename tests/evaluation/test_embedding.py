"""The geometry of an embedding against pairs and sums written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix.evaluation import embedding as module
from timm_multimix.evaluation.embedding import alignment, class_spread, summarize_embedding, uniformity


def made(count: int, size: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, size, generator=generator, dtype=torch.float64) + 0.3,
        torch.randint(classes, (count,), generator=generator),
    )


def pair_distances(embedding: torch.Tensor) -> dict[tuple[int, int], float]:
    """Squared distances on the unit sphere, pair by pair."""
    unit = [row / row.norm() for row in embedding]
    return {
        (i, j): float((unit[i] - unit[j]).square().sum())
        for i in range(len(unit))
        for j in range(i + 1, len(unit))
    }


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 25), st.integers(1, 6), st.integers(1, 4), st.integers(0, 10**6))
def test_alignment_and_uniformity_pair_by_pair(count: int, size: int, classes: int, seed: int) -> None:
    embedding, labels = made(count, size, classes, seed)
    pairs = pair_distances(embedding)
    same = [value for (i, j), value in pairs.items() if labels[i] == labels[j]]
    expected = sum(same) / len(same) if same else math.nan
    assert alignment(embedding, labels) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    kernel = [math.exp(-2 * value) for value in pairs.values()]
    assert uniformity(embedding) == pytest.approx(math.log(sum(kernel) / len(kernel)), abs=1e-6)


def test_uniformity_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding, _ = made(100, 5, 1, 0)
    whole = uniformity(embedding)
    monkeypatch.setattr(module, "_CHUNK", 7)
    assert uniformity(embedding) == pytest.approx(whole, rel=1e-12)


def test_known_arrangements() -> None:
    collapsed, labels = torch.ones(6, 3), torch.tensor([0, 0, 0, 1, 1, 1])
    assert alignment(collapsed, labels) == pytest.approx(0, abs=1e-12)
    assert uniformity(collapsed) == pytest.approx(0, abs=1e-6)
    opposite = torch.tensor([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    halves = torch.tensor([0, 0, 1, 1])
    assert alignment(opposite, halves) == pytest.approx(0, abs=1e-12)
    assert alignment(opposite, torch.tensor([0, 1, 0, 1])) == pytest.approx(4)
    # two pairs at distance 0, four at squared distance 4
    assert uniformity(opposite) == pytest.approx(math.log((2 + 4 * math.exp(-8)) / 6))
    assert class_spread(opposite, halves) == {"within": 0.0, "between": 1.0, "ratio": 0.0}


def test_images_on_the_whole_sphere_are_uniform() -> None:
    embedding = torch.randn(1500, 3, generator=torch.Generator().manual_seed(0))
    # E exp(-2 |x - y|^2) on the sphere in three dimensions is (1 - exp(-8)) / 8
    assert uniformity(embedding) == pytest.approx(math.log((1 - math.exp(-8)) / 8), abs=0.01)


def test_spread_by_loops_and_as_a_whole() -> None:
    embedding, labels = made(60, 4, 5, 3)
    unit = embedding / embedding.norm(dim=1, keepdim=True)
    means = {int(c): unit[labels == c].mean(0) for c in labels.unique()}
    found = class_spread(embedding, labels)
    within = [float((row - means[int(c)]).square().sum()) for row, c in zip(unit, labels, strict=True)]
    assert found["within"] == pytest.approx(sum(within) / 60)
    whole = float((unit - unit.mean(0)).square().sum(1).mean())
    assert found["within"] + found["between"] == pytest.approx(whole)
    assert found["ratio"] == pytest.approx(found["within"] / found["between"])


def test_lengths_do_not_matter_and_directions_do() -> None:
    embedding, labels = made(40, 6, 3, 4)
    longer = embedding * torch.linspace(0.1, 9, 40)[:, None]
    turn = torch.linalg.qr(
        torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )[0]
    for changed in (longer, embedding @ turn):
        assert alignment(changed, labels) == pytest.approx(alignment(embedding, labels))
        assert uniformity(changed) == pytest.approx(uniformity(embedding))
        assert class_spread(changed, labels) == pytest.approx(class_spread(embedding, labels))


def test_undefined_metrics_are_nan() -> None:
    alone = torch.tensor([[1.0, 2.0]])
    assert math.isnan(uniformity(alone))
    assert math.isnan(alignment(torch.eye(3), torch.tensor([0, 1, 2])))
    assert math.isnan(class_spread(torch.eye(3), torch.zeros(3, dtype=torch.long))["ratio"])


def test_the_summary_has_all() -> None:
    found = summarize_embedding(*made(20, 8, 3, 5))
    assert found.keys() == {"dimensions", "alignment", "uniformity", "class_spread"}
    assert found["dimensions"] == 8

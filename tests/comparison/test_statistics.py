"""Means, standard deviations and intervals: by hand, against SciPy, and their coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from timm_multimix.comparison.statistics import compare_paired, curve_band, summarize

numbers = st.floats(0, 100)


def test_by_hand() -> None:
    """2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, over two 13."""
    found = summarize([2.0, 4.0, 9.0])
    assert (found.mean, found.count) == (5.0, 3)
    assert found.deviation == pytest.approx(math.sqrt(13))


def test_one_number_has_no_std() -> None:
    found = summarize([97.5])
    assert (found.mean, found.deviation, found.count) == (97.5, None, 1)


def test_equal_numbers_have_a_std_of_exactly_zero() -> None:
    assert summarize([98.61111111111111] * 3) == summarize([98.61111111111111] * 3)
    assert summarize([98.61111111111111] * 3).deviation == 0.0


def test_no_numbers() -> None:
    with pytest.raises(ValueError, match="no values"):
        summarize([])


def test_paired_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, deviation 1; the quantile of t with 2 degrees of freedom is 4.302653."""
    found = compare_paired({0: 91.0, 1: 92.0, 2: 93.0}, {0: 90.0, 1: 90.0, 2: 90.0})
    assert found is not None
    half = 4.302652729911275 / math.sqrt(3)
    assert (found.mean, found.count) == (2.0, 3)
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert not found.excludes_zero


def test_pairs_are_by_seed_and_the_rest_is_left_out() -> None:
    """The level of a seed cancels, in any order; seeds of one arm only are left out."""
    found = compare_paired({5: 51.0, 1: 11.5, 9: 1.0}, {1: 10.5, 7: 99.0, 5: 50.0})
    assert found is not None
    assert (found.mean, found.low, found.high, found.count) == (1.0, 1.0, 1.0, 2)
    assert not found.excludes_zero  # no width, so nothing is known of the spread


def test_one_common_seed_has_no_interval() -> None:
    found = compare_paired({0: 90.0, 1: 95.0}, {1: 94.0})
    assert found is not None
    assert (found.mean, found.low, found.high, found.count) == (1.0, None, None, 1)
    assert not found.excludes_zero


@given(st.integers(1, 5), st.lists(st.integers(0, 355), min_size=2, max_size=5))
def test_equal_differences_of_rounded_percentages_have_no_width(more: int, counts: list[int]) -> None:
    ours = {seed: 100 * (count + more) / 360 for seed, count in enumerate(counts)}
    theirs = {seed: 100 * count / 360 for seed, count in enumerate(counts)}
    found = compare_paired(ours, theirs)
    assert found is not None
    assert found.low == found.high == found.mean == pytest.approx(100 * more / 360)
    assert not found.excludes_zero


def test_no_common_seed() -> None:
    assert compare_paired({0: 1.0}, {1: 1.0}) is None


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=12), st.sampled_from([1, 2, 18]))
def test_is_scipys_interval(pairs: list[tuple[float, float]], comparisons: int) -> None:
    ours, theirs = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    found = compare_paired(ours, theirs, comparisons)
    assert found is not None
    differences = [a - b for a, b in pairs]
    if max(differences) - min(differences) < 1e-6:  # SciPy has no t then
        assert found.low == pytest.approx(found.high, abs=1e-4)
        return
    expected = ttest_1samp(differences, 0.0).confidence_interval(1 - 0.05 / comparisons)
    assert (found.low, found.high) == (
        pytest.approx(expected.low, abs=1e-8),
        pytest.approx(expected.high, abs=1e-8),
    )
    assert found.mean == pytest.approx(np.mean(differences), abs=1e-9)
    assert summarize(differences).deviation == pytest.approx(np.std(differences, ddof=1), abs=1e-9)


def test_intervals_cover_the_true_difference_in_95_per_cent() -> None:
    """Of 2,000 comparisons of three seeds with a true difference of 0.3, 95 % within four standard errors."""
    draws = np.random.default_rng(0)
    level, effect = 3 * draws.normal(size=(2000, 3)), 0.3 + draws.normal(size=(2000, 3))
    hits = 0
    for base, gain in zip(level, effect, strict=True):
        found = compare_paired(dict(enumerate(base + gain)), dict(enumerate(base)))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.3 <= found.high
    assert abs(hits / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_a_band_has_the_epochs_of_all_runs() -> None:
    band = curve_band([{1: 10.0, 2: 20.0, 3: 30.0}, {1: 14.0, 2: 20.0}])
    assert list(band) == [1, 2]
    assert band[1].mean == 12.0
    assert band[1].deviation == pytest.approx(math.sqrt(8))
    assert band[2].deviation == 0.0
    assert curve_band([]) == {}

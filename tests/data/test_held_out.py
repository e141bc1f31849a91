"""Validation images held out of the training split: stratified, seeded, the same everywhere."""

from pathlib import Path

import numpy as np
import pytest

from timm_multimix.data.held_out import choose_rows
from timm_multimix.data.measured import load_split
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

from .conftest import picture


def flat(root: Path, **sizes: int) -> Path:
    """Class directories without splits, with so many images in each."""
    for name, size in sizes.items():
        (root / name).mkdir(parents=True)
        for number in range(size):
            picture(number).save(root / name / f"{number}.png")
    return root


@pytest.mark.parametrize("sizes", [[50, 30, 20], [7, 1, 12, 2], [1, 1, 1, 40], [3] * 30])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_every_class_gives_its_share_and_keeps_an_image(sizes: list[int], fraction: float) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(0).shuffle(labels)
    chosen = choose_rows(labels, fraction, 0)
    held = np.bincount(labels[chosen], minlength=len(sizes))
    shares = fraction * np.asarray(sizes)
    assert (np.abs(held - shares) <= 1).all()
    assert (held < np.maximum(sizes, 2)).all()
    assert (held[np.asarray(sizes) == 1] == 0).all()
    if all(size * (1 - fraction) >= 1 for size in sizes):
        assert chosen.sum() == round(fraction * len(labels))


def test_the_choice_is_a_function_of_the_seed_and_not_of_the_order_within() -> None:
    labels = np.repeat([0, 1], [40, 60])
    first, again, other = (choose_rows(labels, 0.2, seed) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()
    assert 0 < first[:20].sum() < 8  # from all over a class


@pytest.mark.parametrize("labels", [np.linspace(0, 1, 50), np.zeros((50, 3), dtype=int)])
def test_other_targets_are_drawn_without_classes(labels: np.ndarray) -> None:
    assert choose_rows(labels, 0.3, 0).sum() == 15


def test_class_directories_without_splits_are_divided(tmp_path: Path) -> None:
    root = str(flat(tmp_path / "pets", cat=20, ant=10))
    splits = load_splits(root, val_split="0.1")
    assert splits.class_names == ["ant", "cat"]
    assert (splits.train_split, splits.evaluation_split) == ("all", "0.1 of all")
    assert np.bincount([splits.train[k][1] for k in range(len(splits.train))]).tolist() == [9, 18]
    held = {splits.evaluation.describe(k) for k in range(3)}
    assert held.isdisjoint(splits.train.describe(k) for k in range(27))
    label = splits.evaluation[0][1]
    assert Path(splits.evaluation.describe(0)).parent.name == splits.class_names[label]

    alone = load_split(root, val_split="0.1")
    assert {alone.source.describe(k) for k in range(3)} == held
    other = load_split(root, val_split="0.1", val_split_seed=5)
    assert {other.source.describe(k) for k in range(3)} != held
    assert len(load_split(root).source) == 30


def test_without_a_fraction_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no validation split; it has all: .* `val_split` 0\.1"):
        load_splits(str(flat(tmp_path / "pets", cat=2, ant=2)))
    only_train = flat(tmp_path / "split" / "train", cat=2, ant=2).parent
    with pytest.raises(UsageError, match=r"no validation split; it has train: .* `val_split` 0\.1"):
        load_splits(str(only_train))
    assert load_splits(str(only_train), val_split="0.5").evaluation_split == "0.5 of train"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_split": "1.5"}, "name of a split or a fraction between 0 and 1, got 1.5"),
        ({"val_split": "0"}, "got 0$"),
        ({"val_split": "0.01"}, "holds out 0 of the 4 images"),
        ({"val_split": "0.5", "eval_on_train": True}, "`eval_on_train` has no effect"),
        ({"val_split": "all", "val_split_seed": 1}, "`val_split_seed` has no effect"),
    ],
)
def test_splits_that_cannot_be_held_out(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_splits(str(flat(tmp_path, cat=2, ant=2)), **options)  # type: ignore[arg-type]


def test_splits_of_any_case(tmp_path: Path) -> None:
    for name in ("TRAIN", "Val"):
        flat(tmp_path / name, cat=2, ant=2)
    assert load_splits(str(tmp_path)).evaluation_split == "Val"
    assert load_splits(str(tmp_path), train_split="val", val_split="train").evaluation_split == "TRAIN"


def test_classes_called_like_splits(tmp_path: Path) -> None:
    assert load_split(str(flat(tmp_path / "vehicles", train=2, bus=1))).class_names == ["bus", "train"]
    with pytest.raises(UsageError, match="holds no data"):
        load_split(str(flat(tmp_path / "unlabelled", train=2, test=1)))

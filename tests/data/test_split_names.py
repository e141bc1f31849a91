"""Names of shards to splits: usual names are understood, ambiguous ones are refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timm_multimix.data.split_names import EVALUATION_NAMES, TRAIN_NAMES, name_splits

CASES: dict[str, dict[str, str]] = {
    "webdataset of timm": {
        "imagenet1k-train-0000": "train",
        "imagenet1k-train-1023": "train",
        "imagenet1k-validation-00": "validation",
    },
    "underscores": {"train_000": "train", "train_001": "train", "val_000": "val"},
    "of the Hub": {
        "train-00000-of-00004": "train",
        "train-00003-of-00004": "train",
        "test-00000-of-00001-a09b74b3ef9c3b56": "test",
    },
    "without numbers": {"train": "train", "dev": "dev"},
    "numbers without a separator": {"train0": "train", "train1": "train", "val2017": "val"},
    "dots": {"train.0": "train", "train.1": "train", "valid.0": "valid"},
    "capitals": {"Train_1": "train", "VAL_1": "val"},
    "a split of another name": {"train-0": "train", "extra-00000-of-00001": "extra"},
    "a part of the training images beside them all": {"train-0": "train", "train-clean-0": "train-clean"},
    "two sets of training images": {"a-train-0": "a-train", "b-train-0": "b-train", "test": "test"},
    "two words": {"train-val-0": "train-val", "train-val-1": "train-val", "test-0": "test"},
    "numbers alone": {"0000": "all", "0001": "all"},
    "numbers that are part of a name": {"cifar10": "cifar10", "cifar100": "cifar100"},
    "words that only contain one": {"latest-0": "latest", "trained-0": "trained", "devices": "devices"},
}


@pytest.mark.parametrize("expected", CASES.values(), ids=CASES)
def test_shards_are_grouped_by_split(expected: dict[str, str]) -> None:
    assert name_splits(expected) == expected
    assert name_splits(reversed(list(expected))) == expected


WORDS = st.sampled_from([*TRAIN_NAMES, *EVALUATION_NAMES])
FORMS = ["{w}-{n:05}-of-00009", "{w}_{n:03}", "{w}-{n}", "{w}.{n}", "{w}{n}", "{p}-{w}-{n:04}", "{p}_{w}_{n}"]
PREFIXES = st.text(string.ascii_lowercase, min_size=2, max_size=8).filter(
    lambda text: text not in (*TRAIN_NAMES, *EVALUATION_NAMES)
)


@given(st.sets(WORDS, min_size=1, max_size=4), PREFIXES, st.sampled_from(FORMS), st.integers(1, 9))
def test_usual_forms_of_names(words: set[str], prefix: str, form: str, count: int) -> None:
    names = {form.format(w=word, p=prefix, n=n): word for word in words for n in range(count)}
    assert name_splits(names) == names


@given(st.lists(st.text(max_size=12), unique=True, max_size=6))
def test_any_names_have_a_split(names: list[str]) -> None:
    found = name_splits(names)
    assert list(found) == names
    assert all(found.values())

"""The augmentation plan: its form for batches, and steps without one."""

import pytest

from timm_multimix.data.augment import Augmentation
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError

from .conftest import CONFIG, train_options


def test_the_batch_form_of_an_augmentation_has_the_same_parameters() -> None:
    options = train_options(crop_padding=3, hflip=0.25, vflip=0.5, color_jitter=0.4, reprob=0.0)
    train, evaluation = create_transforms(options, CONFIG)
    assert train.batched() == Augmentation((16, 16), 3, hflip=0.25, vflip=0.5, jitter=(0.4, 0.4, 0.4))
    assert evaluation.batched() == Augmentation()


def test_the_first_step_without_such_a_form_is_named() -> None:
    train, _ = create_transforms(train_options(crop_padding=3, aa="rand-m9"), CONFIG)
    with pytest.raises(UsageError, match=r"^`cache` needs augmentation in batches: .*; got `aa`$"):
        train.batched()

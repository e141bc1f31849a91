"""Older versions of accelerate have no FSDP 2 and never split a model."""

from types import SimpleNamespace

import pytest

from timm_multimix._compat.accelerate import is_fsdp2, splits_model


@pytest.mark.parametrize(
    ("facts", "expected"), [({}, False), ({"is_fsdp2": False}, False), ({"is_fsdp2": True}, True)]
)
def test_fsdp_2_is_recognised(facts: dict[str, bool], expected: bool) -> None:
    assert is_fsdp2(SimpleNamespace(**facts)) is expected


@pytest.mark.parametrize(("size", "expected"), [(None, False), (1, False), (2, True)])
def test_a_model_is_split_over_more_than_one_process(size: int | None, expected: bool) -> None:
    config = size and SimpleNamespace(non_data_parallel_size=size)
    assert splits_model(SimpleNamespace(parallelism_config=config)) is expected
    assert not splits_model(SimpleNamespace())

"""Mixing functions in compiled code, with batches of several sizes, which it knows as symbols only."""

import pytest
import torch

from timm_multimix import functional as F

ALONE = ["sample_pairing", "multimix", "zeta_mixup", "catch_up_mix"]
BY_EXAMPLE = ["mixup", "cutmix", "resizemix", "fmix", "gridmix", "smoothmix", "multi_mixup"]
CALLS = [(name, {}) for name in ALONE] + [
    (name, {"per_sample": each}) for name in BY_EXAMPLE for each in (False, True)
]


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=lambda value: str(value))
def test_a_smaller_last_batch_is_mixed_as_without_compilation(name, arguments):
    def mixed(x):
        return getattr(F, name)(x, **arguments)[0]

    torch._dynamo.reset()
    compiled = torch.compile(mixed, backend="eager")
    for b in (8, 5, 3):
        x = torch.rand(b, 3, 16, 16, generator=torch.Generator().manual_seed(b))
        torch.manual_seed(0)
        expected = mixed(x)
        torch.manual_seed(0)
        torch.testing.assert_close(compiled(x), expected)


def test_short_tuples_of_a_number_that_is_a_symbol():
    def drawn(x):
        return F.dirichlet_weights(2 * len(x), len(x), 1.0, m=2)

    torch._dynamo.reset()
    compiled = torch.compile(drawn, backend="eager")
    for b in (4, 6, 9):
        torch.manual_seed(0)
        expected = drawn(torch.zeros(b, 7))
        torch.manual_seed(0)
        torch.testing.assert_close(compiled(torch.zeros(b, 7)), expected)

"""Functions that torch.compile leaves alone run as they are, inside of a compiled function, too."""

import torch

from timm_multimix.functional.uncompiled import uncompiled


def test_it_is_not_compiled_and_gives_the_same() -> None:
    compiling: list[bool] = []

    @uncompiled
    def count(x: torch.Tensor, *, times: int) -> torch.Tensor:
        compiling.append(torch.compiler.is_compiling())
        return times * x.nonzero().sum()

    def step(x: torch.Tensor) -> torch.Tensor:
        return count(x.sin(), times=2) + x.cos().sum()

    x = torch.arange(5.0)
    assert torch.equal(torch.compile(step, backend="eager")(x), step(x))
    assert compiling == [False, False]
    assert count.__name__ == "count"

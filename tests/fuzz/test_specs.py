"""Any text as a mixer spec or a schedule is read or refused."""

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timm_multimix import create_mixer, list_mixers
from timm_multimix.errors import UsageError
from timm_multimix.mixers import Mixture
from timm_multimix.schedule import parse_schedule

from .effort import tries, value_or_refusal
from .texts import hostile, spoiled

GOOD = [
    "multimix(n=500, alpha=(0.5, 2.0), other='cutmix | none', p=0.8)",
    "0.3*none | 0.7*multimix(n=2000, m=2)",
    "per_sample(mixup(alpha=0.2) | 0.5*cutmix)",
    "3*(none | mixup) | manifold_mixup(layers=(0, 'layer1'))",
    "smoothmix(sigma=(0.25, 0.5), shape='square') | fmix | resizemix",
    *list_mixers(),
]
SCHEDULES = ["0.1-0.8:0.008/0.002", "0-1", "0.2-0.4, .8-1", "0-1:.1/.1, 0.5-0.6"]

NAMES = st.sampled_from([*list_mixers(), "per_sample", "mixpu", "__import__"])
ARGUMENTS = st.sampled_from(
    ["n", "m", "p", "alpha", "k", "layers", "place", "other", "gamma", "per_sample", "**"]
)


def read(spec: str) -> None:
    """Read a spec; what is read has weights that add up to one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixer = value_or_refusal(lambda: create_mixer(spec))
    if mixer is not None:
        assert isinstance(mixer, Mixture)
        assert math.isclose(sum(weight for weight, _ in mixer.branches), 1.0)


@st.composite
def built(draw: st.DrawFn, depth: int = 3) -> str:
    """A spec by its grammar, with hostile values in it."""
    if depth and draw(st.booleans()):
        parts = draw(st.lists(built(depth - 1), min_size=1, max_size=3))
        joined = draw(st.sampled_from([" | ", "|", "*", " + "])).join(parts)
        return draw(st.sampled_from(["({})", "per_sample({})", "0.5*({})", "{}", "-{}"])).replace(
            "{}", joined
        )
    keys = draw(st.lists(ARGUMENTS, max_size=3))
    values = [draw(hostile() | built(0).map(repr) if depth else hostile()) for _ in keys]
    arguments = ", ".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
    return f"{draw(NAMES)}({arguments})"


@tries("spec texts")
@given(hostile() | st.tuples(hostile(), hostile()).map("*".join) | st.tuples(NAMES, hostile()).map("(".join))
def test_any_text(text: str) -> None:
    read(text)


@tries("changed specs")
@given(spoiled(GOOD))
def test_specs_that_are_spoiled(text: str) -> None:
    read(text)


@tries("built specs")
@given(built())
def test_specs_with_hostile_values(text: str) -> None:
    read(text)


@pytest.mark.parametrize(
    "text",
    ["\ud800", "mixup(alpha='\ud800')", "-0x" + "f" * 8000 + "*mixup", "mixup(alpha=-0x" + "f" * 8000 + ")"],
)
def test_texts_and_numbers_that_cannot_be_said(text: str) -> None:
    with pytest.raises(UsageError, match="mixer"):
        create_mixer(text)


@tries("schedules")
@given(hostile() | spoiled(SCHEDULES))
def test_schedules(text: str) -> None:
    schedule = value_or_refusal(lambda: parse_schedule(text))
    if schedule is not None:
        assert all(0 <= window.start < window.stop <= 1 for window in schedule.windows)
        assert {schedule.active(step / 10) for step in range(10)} <= {True, False}

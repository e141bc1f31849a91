"""The watchdog of the fuzzing detects slow and harmful calls."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from timm_multimix.errors import UsageError

from .effort import INPUTS, TIMES, Forbidden, TooLong, effort, harmless, value_or_refusal, within


def test_ten_thousand_inputs() -> None:
    assert sum(INPUTS.values()) >= 10_000
    assert sum(effort(kind).max_examples for kind in INPUTS) == sum(
        int(TIMES * count) for count in INPUTS.values()
    )


def test_slow_input_is_stopped() -> None:
    with pytest.raises(TooLong), within(0.01):
        time.sleep(5)


@pytest.mark.parametrize("what", ["program", "shell", "text", "file", "folder", "yaml"])
def test_harmful_input_is_detected(what: str, tmp_path: Path) -> None:
    harm = {
        "program": lambda: subprocess.run(["true"]),
        "shell": lambda: os.system("true"),
        "text": lambda: eval("1 + 1"),
        "file": lambda: (tmp_path / "a").write_text(""),
        "folder": lambda: (tmp_path / "a").mkdir(),
        "yaml": lambda: yaml.unsafe_load("!!python/object/apply:os.system ['true']"),
    }[what]
    with pytest.raises(Forbidden), harmless():
        harm()


def test_values_and_refusals_only() -> None:
    def refuse() -> None:
        raise UsageError("no")

    assert value_or_refusal(lambda: 3) == 3
    assert value_or_refusal(refuse) is None
    with pytest.raises(KeyError):
        value_or_refusal(lambda: {}["a"])
    with pytest.raises(SystemExit):
        value_or_refusal(lambda: exit(1))

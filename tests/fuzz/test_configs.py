"""Any YAML as --config is understood or refused; nothing in it is run, and bombs do not go off."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions, parse_train_options
from timm_multimix.options.declaration import declared

from .effort import tries, value_or_refusal
from .texts import hostile, spoiled

BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)
GOOD = [
    "batch-size: 32\nweight_decay: 5e-4\nno-aug: true\nmean: [0.5, 0.25]\nmodel-kwargs: {act: gelu}\n",
    "mixup: 0.4\nlog_with: [tensorboard, wandb]\noutput: -runs\ntorchcompile: true\n",
    "lr: !!python/object/apply:os.system ['true']\n",
    "!!python/object/new:subprocess.Popen [['true']]\n",
    "!!python/name:os.system\n",
    "lr: !!timestamp x\n",
    "lr: !!bool maybe\n",
    "lr: !!int x\nepochs: !!float y\nseed: !!binary '*'\n",
    "lr: 2001-99-99\n",
    "epochs: 60:60:60\nseed: 0b\n",
    "lr: &x [*x]\nmean: &y {a: *y}\n",
    "? [a, b]\n: c\n<<: {lr: 1}\n",
    "lr: 1\nlr: 2\n--lr: 3\n",
    "%YAML 9.9\n---\nlr: 1\n...\n---\nlr: 2\n",
    "[" * 3000,
    "- " * 1500 + "x",
    "{a: " * 1200 + "1" + "}" * 1200,
    f"lr: {'9' * 5000}\n",
    f"lr: 0x{'f' * 8000}\n",
    f"? 0x{'f' * 8000}\n: 1\n",
    "model-kwargs: {a: 0x" + "f" * 8000 + ", '--': 1, 3: 4}\n",
    BOMB + "lr: *k\n",
    BOMB + "model_kwargs: {a: *k}\n",
    BOMB.replace("[", "{? [").replace("]", "] : 1}"),
    "&a [&b [*a, *b]]",
    f"{'x' * 20000}: 1\n",
]


@pytest.fixture(scope="module", autouse=True)
def place() -> Iterator[Path]:
    """A directory for the files."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def read(directory: Path, text: str) -> Any:
    path = directory / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return value_or_refusal(lambda: parse_train_options(["--config", str(path)]))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile() | st.dates() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile() | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*declared(TrainOptions), "mixup", "cutmix"])


@tries("config texts")
@given(text=st.sampled_from(GOOD) | spoiled(GOOD) | hostile())
def test_any_text(place: Path, text: str) -> None:
    read(place, text)


@tries("config values")
@given(content=st.dictionaries(KEYS | hostile(), VALUES, max_size=4))
def test_any_values(place: Path, content: dict[str, Any]) -> None:
    try:
        text = yaml.safe_dump(content)
    except ValueError:  # an integer of too many digits to be written
        return
    read(place, text)


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_these(place: Path, text: str) -> None:
    read(place, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB + "lr: *k\n", "aliases written out"),
        ("lr: &x [*x]\n", "aliases written out"),
        ("x" * 100_001, "at most 100000"),
        ("lr: !!bool maybe\n", "is not YAML"),
        ("[" * 3000, "nested too deeply"),
        (f"lr: 0x{'f' * 8000}\n", "32000 bits"),
        ("lr: !!python/object/apply:os.system ['true']\n", "is not YAML"),
    ],
)
def test_what_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=f"config file .*{said}"):
        parse_train_options(["--config", str(tmp_path / "c.yaml")])


@pytest.mark.parametrize("name", ["\x00", "a\ud800", "x" * 5000, "", "/", "/dev/null/x", "~nobody/x"])
def test_odd_names_of_files(name: str) -> None:
    value_or_refusal(lambda: parse_train_options([f"--config={name}"]))

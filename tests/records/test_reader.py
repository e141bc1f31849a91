"""A run's directory is read as it was written, or refused in one line that names the file."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.comparison.runs import make_run
from timm_multimix.comparison.collect import read_run as read_compared
from timm_multimix.errors import UsageError
from timm_multimix.records.reader import read_metrics, read_run
from timm_multimix.records.schema import NoiseRecord, RunRecord, Scores

FILES = ("summary.json", "config.yaml", "metrics.csv")


@pytest.fixture(scope="module")
def good() -> Iterator[Path]:
    """A finished run, in a directory of its own."""
    with TemporaryDirectory() as place:
        yield make_run(Path(place) / "run", "0.3*none | 0.7*multimix(n=50, m=4)", 42, 81.25, "--lr", "0.05")


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "run"))


def facts(directory: Path) -> tuple[Any, ...]:
    """All that is read of a run, except options without effect on the result."""
    found = read_compared(directory)
    return found.record, found.options, found.rows


def test_a_run_is_read_as_it_was_written(run: Path) -> None:
    found = read_run(run)
    assert found.record.to_dict() == json.loads((run / "summary.json").read_text())
    assert (found.options.optimization.lr, found.options.mixing.mix) == (
        0.05,
        "0.3*none | 0.7*multimix(n=50, m=4)",
    )
    assert [row["eval_top1"] for row in found.metrics] == [71.25, 81.75, 81.25]
    assert found.record.results["raw"] == Scores(loss=0.5, top1=81.25, top5=100.0, samples=360)


def test_a_record_goes_through_plain_values_and_back(run: Path) -> None:
    noise = NoiseRecord(part=0.4, kind="pair", noisy_samples=3, clean_samples=4, noisy_loss=1.5)
    content = read_run(run).record.to_dict() | {"base_model": None, "label_noise": {"noisy_top1": None}}
    content["label_noise"] |= {"part": 0.4, "kind": "pair", "noisy_samples": 3, "clean_samples": 4}
    content["label_noise"]["noisy_loss"] = 1.5
    record = RunRecord.from_dict(content)
    assert record.label_noise == noise
    assert RunRecord.from_dict(record.to_dict()) == record
    assert "noisy_top1" not in record.to_dict()["label_noise"]
    assert "base_model" in record.to_dict()
    assert "peak_memory_bytes" not in record.to_dict()


def test_text_outside_utf_8_is_escaped_in_a_record(run: Path) -> None:
    content = read_run(run).record.to_dict() | {"dataset": "caf\udce9"}
    assert RunRecord.from_dict(content).to_dict()["dataset"] == "caf\\udce9"


def read_or_refused(read: Callable[[], Any], name: str) -> Any:
    """The content; None if the file was refused by name, in one line."""
    line = None
    try:
        return read()
    except UsageError as error:
        line = str(error)
    assert name in line
    assert "\n" not in line
    return None


DAMAGES: dict[str, tuple[str, Callable[[str], str], str]] = {
    "summary.json cut": ("summary.json", lambda text: text[: len(text) // 2], "is not JSON"),
    "summary.json {": ("summary.json", lambda text: "{", "is not JSON"),
    "summary.json empty": ("summary.json", lambda text: "", "is not JSON"),
    "summary.json []": ("summary.json", lambda text: "[]", "expected a JSON object, got a list"),
    "summary.json {}": ("summary.json", lambda text: "{}", "expected a JSON object, got an empty object"),
    "summary.json text": ("summary.json", lambda text: '"a"', "expected a JSON object, got a str"),
    "epochs a text": (
        "summary.json",
        lambda text: text.replace('"epochs": 3', '"epochs": "3"'),
        "epochs must be a whole number, got '3'",
    ),
    "epochs a float": (
        "summary.json",
        lambda text: text.replace('"epochs": 3', '"epochs": 3.0'),
        "epochs must be a whole number, got 3.0",
    ),
    "top1 beyond": (
        "summary.json",
        lambda text: text.replace('"top1": 81.25, "top1_best"', '"top1": 812.5, "top1_best"'),
        "top1 must be from 0 to 100, got 812.5",
    ),
    "a score missing": (
        "summary.json",
        lambda text: text.replace('"top5": 100.0, ', "", 1),
        "lacks results.raw.top5",
    ),
    "metrics.csv empty": ("metrics.csv", lambda text: "", "no header"),
    "metrics.csv header": ("metrics.csv", lambda text: text.splitlines(True)[0], "it has no rows"),
    "metrics.csv cut": ("metrics.csv", lambda text: text[:-4], "cut short"),
    "metrics.csv a row less": (
        "metrics.csv",
        lambda text: "".join(text.splitlines(True)[:-1]),
        "it has 2 rows, summary.json has 3 epochs",
    ),
    "metrics.csv a row twice": (
        "metrics.csv",
        lambda text: text + text.splitlines(True)[-1],
        "row 4 is of epoch 3.0",
    ),
    "metrics.csv NUL": ("metrics.csv", lambda text: "\0" * len(text), "metrics.csv is damaged"),
    "config.yaml empty": ("config.yaml", lambda text: "", "it lacks mix, model, seed, log_level"),
    "config.yaml {}": ("config.yaml", lambda text: "{}", "it lacks mix, model, seed, log_level"),
    "config.yaml cut": (
        "config.yaml",
        lambda text: text[: text.index("log_level")],
        "config.yaml is damaged: it lacks log_level",
    ),
    "config.yaml a list": ("config.yaml", lambda text: "- a", "expected a mapping"),
    "config.yaml a wrong value": (
        "config.yaml",
        lambda text: text.replace("batch_size: ", "batch_size: many"),
        "--batch-size: expected a whole number",
    ),
    "config.yaml of another mix": (
        "config.yaml",
        lambda text: text.replace("0.7*multimix", "0.7*mixup"),
        "config.yaml says mix 0.3[*]none",
    ),
}


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named(name: str, damage: Callable[[str], str], words: str, run: Path) -> None:
    before = (run / name).read_text()
    (run / name).write_text(damage(before))
    assert (run / name).read_text() != before
    for read in (read_run, read_compared):
        with pytest.raises(UsageError, match=words.replace("(", r"\(")) as caught:
            read(run)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_config_yaml_ends_with_a_required_option(good: Path) -> None:
    """So that every truncated file is detected."""
    assert (good / "config.yaml").read_text().splitlines()[-1].startswith("log_level:")


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_never_another_run(good: Path, name: str, share: float) -> None:
    """A truncated file is refused, or has everything that matters."""
    text = (good / name).read_text()
    with TemporaryDirectory() as place:
        run = Path(shutil.copytree(good, Path(place) / "run"))
        (run / name).write_text(text[: int(share * len(text))])
        assert read_or_refused(lambda: facts(run), name) in (facts(good), None)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(FILES), data=st.data())
def test_an_edited_file_never_gives_a_traceback(good: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((good / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as place:
        run = Path(shutil.copytree(good, Path(place) / "run"))
        (run / name).write_bytes(content)
        found = read_or_refused(lambda: read_run(run), name)
        assert found is None or found.record.epochs == len(read_metrics(run))

"""Every card in model_cards/ was made from a complete record, and its command still runs."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakehub.cards import check_card, front_matter
from tests.finished_runs import make_run
from timm_multimix import cli
from timm_multimix.errors import UsageError
from timm_multimix.hub.metadata import make_metadata
from timm_multimix.options import parse_train_options
from timm_multimix.options.declaration import flat
from timm_multimix.records.schema import RunRecord

ROOT = Path(__file__).parents[1]
DIRECTORIES = sorted(path for path in (ROOT / "model_cards").glob("*") if path.is_dir())
HERE = re.compile(r"/(?:home|root|tmp|work|Users|mnt|opt|var)/|[A-Z]:\\\\")


def complaints(directory: Path) -> list[str]:
    """Faults of a directory of README.md and record.json, as `push --dry-run` writes them."""
    missing = [name for name in ("README.md", "record.json") if not (directory / name).is_file()]
    if missing:
        return [f"no {name}" for name in missing]
    card, text = ((directory / name).read_text(encoding="utf-8") for name in ("README.md", "record.json"))
    record = json.loads(text)
    if wrong := check_record(record):
        return wrong
    found = check_command(record) + check_metadata(card, record) + check_numbers(card, record)
    return found + [
        f"{hit} in {name}"
        for name, words in (("card", card), ("record", text))
        for hit in HERE.findall(words)
    ]


def check_record(record: dict[str, Any]) -> list[str]:
    """The record has all parts, and a run's summary."""
    parts = ("summary", "options", "model", "published", "metrics")
    if lacking := [f"the record has no {name}" for name in parts if not record.get(name)]:
        return lacking
    try:
        RunRecord.from_dict(record["summary"])
    except UsageError as error:
        return [f"the summary {error}"]
    return []


def check_command(record: dict[str, Any]) -> list[str]:
    """The command is a training command that agrees with the record."""
    words = shlex.split(record["summary"]["command"])
    start = next((n + 1 for n, word in enumerate(words) if word in ("train", "train.py")), None)
    if start is None:
        return ["the command does not train"]
    try:
        options = parse_train_options(words[start:])
    except UsageError as error:
        return [f"the command does not parse: {error}"]
    asked = {
        name: flat(options)[name] for name in options.given & {"mix", "model", "dataset", "seed", "epochs"}
    }
    return [
        f"--{name} is {value} in the command, {record['options'][name]} in the record"
        for name, value in asked.items()
        if record["options"][name] != value
    ]


def check_metadata(card: str, record: dict[str, Any]) -> list[str]:
    """The metadata is valid, and the record's."""
    errors, warnings = check_card(card)
    if errors or warnings:
        return errors + warnings
    repo_id = re.search(r'hf-hub:([\w./-]+)"', card)
    if not repo_id:
        return ["the card loads no model"]
    expected = yaml.safe_load(make_metadata(record, repo_id[1]).to_yaml())
    found = yaml.safe_load(front_matter(card) or "")
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    return [f"{name} in the metadata is not the record's" for name in names]


def check_numbers(card: str, record: dict[str, Any]) -> list[str]:
    """The card shows the record's results, command and data."""
    summary = record["summary"]
    told = [f"{result['top1']:.2f} %" for result in summary["results"].values()]
    told += [f"{record['published']['top1']:.2f} % top-1", summary["command"], f"**Seed:** {summary['seed']}"]
    return [f"the card does not say {words!r}" for words in told if words not in card]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=[directory.name for directory in DIRECTORIES])
def test_cards_of_trained_models(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where a command's --config is
    assert complaints(directory) == []


def test_the_table_of_cards_is_that_of_their_records() -> None:
    page = (ROOT / "model_cards/README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| [")]
    found = {re.findall(r"\((.+)/README", row[0])[0]: tuple(row[-2:]) for row in rows}
    summaries = {
        path.name: json.loads((path / "record.json").read_text(encoding="utf-8"))["summary"]
        for path in DIRECTORIES
    }
    assert found == {
        name: (f"{summary['top1']:.2f} %", f"{summary['top1_best']:.2f} %")
        for name, summary in summaries.items()
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory as a finished run gives it."""
    make_run(tmp_path / "run")
    assert cli.main(["push", str(tmp_path / "run"), "tester/net", "--dry-run", str(tmp_path / "card")]) == 0
    return tmp_path / "card"


def test_a_made_card_is_sound(made: Path) -> None:
    assert complaints(made) == []


def in_card(before: str, after: str) -> Callable[[Path], None]:
    return lambda directory: replace(directory / "README.md", before, after)


def in_record(before: str, after: str) -> Callable[[Path], None]:
    return lambda directory: replace(directory / "record.json", before, after)


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda directory: (directory / "README.md").unlink(), "no README.md"),
        (in_record('"hardware"', '"hardwear"'), "the summary lacks hardware"),
        (in_record('"metrics"', '"metric"'), "the record has no metrics"),
        (in_record("--epochs 3", "--epoch 3"), "does not parse"),
        (in_record("--epochs 3", "--epochs 4"), "--epochs is 4 in the command, 3 in the record"),
        (in_record("train.py", "evaluate.py"), "does not train"),
        (in_card("60.00 % top-1", "99.00 % top-1"), "does not say '60.00 % top-1'"),
        (in_card("**Seed:** 42", "**Seed:** 43"), "does not say '**Seed:** 42'"),
        (in_card("value: 0.6", "value: 0.9"), "model-index in the metadata"),
        (in_card("value: 0.6", "value: .nan"), "must be finite"),
        (in_card("library_name: timm", "library_name: timm\nlicense: mit"), "license in the metadata"),
        (in_card("library_name: timm", "library_name: [timm]"), "library_name"),
        (in_card("# net", "# net\n/home/me/net"), "/home/ in card"),
    ],
)
def test_a_spoilt_card_is_found_out(made: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(made)
    assert said in "\n".join(complaints(made))

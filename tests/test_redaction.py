"""Redaction of tokens and of paths on this machine."""

import json
import logging
from pathlib import Path

import pytest

from tests.finished_runs import make_run
from timm_multimix.hub.record import dump, make_record
from timm_multimix.logs import Redacting
from timm_multimix.options import parse_train_options
from timm_multimix.records.provenance import base_model, checkout_commit, dataset_kind
from timm_multimix.redaction import last_part, public_text, redact


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/me/data/pictures", "pictures"),
        ("/home/me/my data/pictures/", "pictures"),
        ("~/pictures", "pictures"),
        ("~me/data/pictures", "pictures"),
        ("../secret/pictures", "pictures"),
        ("local-dir:/home/me/model", "local-dir:model"),
        ("--output=/home/me/run", "--output=run"),
        ("weights='/home/me/w'", "weights='w'"),
        ("C:\\Users\\me\\pictures", "pictures"),
        ("/", "folder"),
        ("hf-hub:user/name@v1", "hf-hub:user/name@v1"),
        ("user/name", "user/name"),
        ("recipes/digits.yaml", "recipes/digits.yaml"),
        ("https://huggingface.co/user/name", "https://huggingface.co/user/name"),
        ("0.1-0.8:0.008/0.002", "0.1-0.8:0.008/0.002"),
        ("mixup(alpha=.5) | cutmix", "mixup(alpha=.5) | cutmix"),
    ],
)
def test_paths_become_names(text: str, told: str) -> None:
    assert public_text(text) == told


def test_tokens_and_passwords_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-tester")
    text = "a token-of-tester b hf_abcdefgh1234 c https://me:secret@host/x"
    assert redact(text) == "a REDACTED b REDACTED c https://REDACTED@host/x"


def test_a_log_line_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-tester")
    record = logging.LogRecord("http", logging.DEBUG, "f", 1, "header %s", ("token-of-tester",), None)
    assert Redacting("%(name)s: %(message)s").format(record) == "http: header REDACTED"


@pytest.mark.parametrize(
    "dataset", ["/home/somebody/secret/pictures", "secret/pictures", "../secret/pictures"]
)
def test_a_record_names_no_directory(tmp_path: Path, dataset: str) -> None:
    argv = ["--dataset", dataset, "--model", "local-dir:secret/start", "--pretrained"]
    command = (
        f"train.py --dataset {dataset} --model=local-dir:secret/start --output /home/somebody/secret/run"
    )
    summary = make_run(tmp_path / "run", ["a", "b"], *argv, command=command)
    text = dump(make_record(tmp_path / "run", tmp_path / "run/model", summary, 3, 60.0))
    assert "secret" not in text
    assert "somebody" not in text
    assert json.loads(text)["options"]["dataset"] == "pictures"
    told = "train.py --dataset pictures --model=local-dir:start --output run"
    assert json.loads(text)["summary"]["command"] == told


def test_kinds_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user/name").mkdir(parents=True)
    assert [dataset_kind(name) for name in ("digits", "user/name", "user/other")] == [
        "digits",
        "folder",
        "hub",
    ]
    assert [last_part(name) for name in ("user/name", "/", "..", "a\\b")] == ["name", "folder", "folder", "b"]


@pytest.mark.parametrize(
    ("argv", "base"),
    [
        ("--model hf-hub:user/name@v1 --pretrained", "user/name"),
        ("--model hf-hub:user/name", None),
        ("--model local-dir:user/name --pretrained", None),
        ("--model test_resnet.r160_in1k --pretrained", "timm/test_resnet.r160_in1k"),
        ("--model test_resnet", None),
    ],
)
def test_base_models(argv: str, base: str | None) -> None:
    network = parse_train_options(argv.split()).network
    assert base_model(network.model, network.pretrained) == base


def test_the_commit_of_a_checkout(tmp_path: Path) -> None:
    assert checkout_commit(tmp_path) is None
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert checkout_commit(tmp_path) is None
    (tmp_path / ".git/refs/heads/main").write_text("a" * 40 + "\n")
    assert checkout_commit(tmp_path) == "a" * 40

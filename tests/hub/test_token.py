"""A token is never shown, however much is logged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakehub.environment import hub_environment
from tests.fakehub.helpers import NAME
from tests.fakehub.server import TOKEN, HubServer

AGAIN = "tester/again"
LOUD = {
    "ACCELERATE_LOG_LEVEL": "DEBUG",
    "DATASETS_VERBOSITY": "debug",
    "HF_DEBUG": "1",
    "HF_HUB_VERBOSITY": "debug",
    "PYTHONVERBOSE": "1",
    "TORCH_CPP_LOG_LEVEL": "INFO",
    "TRANSFORMERS_VERBOSITY": "debug",
}


@pytest.mark.slow
def test_a_planted_token_is_in_no_file_and_no_output(hub: HubServer, tmp_path: Path) -> None:
    train = "train --epochs 1 --batch-size 128 --workers 1 --mix mixup --output run --log-level debug"
    train += f" --log-with tensorboard --push-to-hub --hub-model-id {NAME}"
    environment = hub_environment(hub, tmp_path / "home") | {"ACCELERATE_USE_CPU": "true"} | LOUD
    assert environment["HF_TOKEN"] == TOKEN
    texts = {}
    for words in (train, f"push run {AGAIN} --log-level debug"):
        command = [sys.executable, "-m", "timm_multimix", *words.split()]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert b" DEBUG " in done.stderr
        texts |= {f"stdout of {words}": done.stdout, f"stderr of {words}": done.stderr}
    texts |= {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for repo in map(hub.store.repo, (NAME, AGAIN)):
        assert repo.titles()[0].startswith("Result")  # so the token was used
        texts |= {f"on the Hub: {name}": repo.read(name) for name in repo.files()}
    names = os.linesep.join(texts)
    assert "run/summary.json" in names
    assert TOKEN not in names
    assert [name for name, text in texts.items() if TOKEN.encode() in text] == []

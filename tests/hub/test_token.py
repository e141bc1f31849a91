"""A token is told to nobody, however much is logged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.environment import hub_environment
from tests.hub.helpers import NAME
from tests.hub.server import TOKEN, HubServer

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
    words = "train --epochs 1 --batch-size 128 --workers 1 --mix mixup --output run"
    words += " --log-with tensorboard --log-level debug"
    argv = [*words.split(), "--push-to-hub", "--hub-model-id", NAME]
    environment = hub_environment(hub, tmp_path / "home") | {"ACCELERATE_USE_CPU": "true"} | LOUD
    assert environment["HF_TOKEN"] == TOKEN
    done = subprocess.run(
        [sys.executable, "-m", "timm_multimix", *argv],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert hub.store.repo(NAME).titles()[0].startswith("Result")  # so the token was used
    assert b" DEBUG " in done.stderr
    texts = {"stdout": done.stdout, "stderr": done.stderr}
    texts |= {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    repo = hub.store.repo(NAME)
    texts |= {f"on the Hub: {name}": repo.read(name) for name in repo.files()}
    names = os.linesep.join(texts)
    assert "run/summary.json" in names
    assert TOKEN not in names
    assert [name for name, text in texts.items() if TOKEN.encode() in text] == []

"""Training on a dataset that is streamed from the Hub, of which only the evaluation split is stored."""

import io
import json
from pathlib import Path

import datasets
import pytest
from PIL import Image

from tests.fakehub.environment import run_python
from tests.fakehub.server import HubServer
from tests.finished_runs import run_command
from tests.training.helpers import outcome

CARD = """---
dataset_info:
  features:
  - {{name: image, dtype: image}}
  - {{name: label, dtype: {{class_label: {{names: {{'0': dark, '1': light}}}}}}}}
  splits:
  - {{name: train, num_examples: {count}, num_bytes: 1}}
  - {{name: test, num_examples: 4, num_bytes: 1}}
---
"""
OPTIONS = "--dataset tester/data --img-size 32 --epochs 1 --batch-size 4 --workers 2 --lr 0.05 --mix mixup"


def table(first: int, count: int) -> bytes:
    """A parquet file of grey images, from dark to light, whose labels are bare numbers."""
    cells = []
    for number in range(first, first + count):
        file = io.BytesIO()
        Image.new("RGB", (32, 32), (12 * number,) * 3).save(file, "PNG")
        cells.append({"bytes": file.getvalue(), "path": None})
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    labels = [int(number > 8) for number in range(first, first + count)]
    output = io.BytesIO()
    datasets.Dataset.from_dict({"image": cells, "label": labels}, features=kinds).to_parquet(output)
    return output.getvalue()


@pytest.fixture
def files() -> dict[str, bytes]:
    names = {"train-00000-of-00002": (0, 11), "train-00001-of-00002": (11, 7), "test-00000-of-00001": (7, 4)}
    return {f"data/{name}.parquet": table(*rows) for name, rows in names.items()}


def test_train_on_a_stream_and_resume(hub: HubServer, files: dict[str, bytes], tmp_path: Path) -> None:
    repo = hub.store.create("tester/data", "datasets")
    repo.commit({"README.md": CARD.format(count=18).encode()} | files, "new")
    options = [*OPTIONS.split(), "--streaming", "--checkpoint-interval", "1"]
    done = run_command(hub, tmp_path, "train", *options, "--output", "whole")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "whole/summary.json").read_text())
    assert (summary["train_samples"], summary["samples_evaluated"], summary["classes"]) == (18, 4, 2)
    config = json.loads((tmp_path / "whole/model/config.json").read_text())
    assert config["label_names"] == ["dark", "light"]
    stored = [path.name for path in (tmp_path / "home/datasets").rglob("*.arrow")]
    assert stored == ["parquet-test.arrow"]
    blobs = {path.stat().st_size for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert blobs.isdisjoint(len(data) for name, data in files.items() if "train" in name)

    middle = tmp_path / "whole/checkpoints/step-00000003"  # of four
    assert middle.is_dir()
    again = run_command(hub, tmp_path, "train", "--resume", middle, "--output", "again", "--workers", 0)
    assert again.returncode == 0, again.stderr
    assert outcome(tmp_path / "again") == outcome(tmp_path / "whole")


REFUSED = """
from timm_multimix import cli
for name in ("unknown", "others"):
    assert cli.main(["train", "--dataset", f"tester/{name}", *WORDS]) == 2
"""


def test_an_unknown_length_and_other_files_than_parquet(
    hub: HubServer, files: dict[str, bytes], tmp_path: Path
) -> None:
    hub.store.create("tester/unknown", "datasets").commit(files, "new")
    hub.store.create("tester/others", "datasets").commit({"train.csv": b"image,label\na,1\n"}, "new")
    words = [*OPTIONS.split()[2:], "--streaming", "--output", "run"]
    code = f"import sys; sys.stderr = sys.stdout; WORDS = {words!r}\n{REFUSED}"
    unknown, others = run_python(code, hub, tmp_path).stdout.splitlines()
    assert "does not say how many samples split 'train' has" in unknown
    allowed = "must be of parquet or WebDataset's tar files"
    assert f"--streaming: 'tester/others' {allowed}, got csv files" in others
    assert not (tmp_path / "run").exists()

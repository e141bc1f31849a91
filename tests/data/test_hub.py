"""Hub datasets of several configurations and revisions by name: read, recorded and on the card."""

import io
import json
from pathlib import Path

import datasets
import pytest
from huggingface_hub import HfApi
from PIL import Image

from tests.fakehub.environment import run_python
from tests.fakehub.server import HubServer
from tests.finished_runs import run_command, run_record
from timm_multimix.hub.card import make_card
from timm_multimix.hub.metadata import make_metadata

CARD = b"""---
configs:
- config_name: small
  data_files:
  - {split: train, path: small/train*}
  - {split: test, path: small/test*}
- config_name: large
  data_files:
  - {split: train, path: large/train*}
  - {split: test, path: large/test*}
---
"""
CODE = """
import json, sys
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError
found = {}
for name in NAMES:
    try:
        splits = load_splits(name, streaming=STREAMING)
        found[name] = [len(splits.train), splits.class_names, list(splits.hub)]
    except UsageError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


def table(classes: str, count: int) -> bytes:
    """A parquet file of grey images whose labels are letters."""
    cells = []
    for number in range(count):
        file = io.BytesIO()
        Image.new("RGB", (32, 32), (12 * number,) * 3).save(file, "PNG")
        cells.append({"bytes": file.getvalue(), "path": None})
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    labels = [classes[number % len(classes)] for number in range(count)]
    output = io.BytesIO()
    datasets.Dataset.from_dict({"image": cells, "label": labels}, features=kinds).to_parquet(output)
    return output.getvalue()


@pytest.fixture
def data(hub: HubServer, api: HfApi) -> HubServer:
    """tester/data: `small` has 4 training images of two classes, `large` 9 of three; at v1 `small` had 6."""
    repo = hub.store.create("tester/data", "datasets")
    classes = {"small": "ab", "large": "xyz"}
    files = {f"{name}/test.parquet": table(letters, 3) for name, letters in classes.items()}
    files |= {"large/train.parquet": table("xyz", 9), "README.md": CARD}
    repo.commit(files | {"small/train.parquet": table("ab", 6)}, "first")
    api.create_tag("tester/data", tag="v1", repo_type="dataset")
    repo.commit({"small/train.parquet": table("ab", 4)}, "second")
    return hub


def load(server: HubServer, home: Path, *names: str, streaming: bool = False) -> dict[str, object]:
    code = f"NAMES, STREAMING = {names!r}, {streaming}\n{CODE}"
    return json.loads(run_python(code, server, home).stdout)


def test_configurations_and_revisions_are_distinguished(data: HubServer, tmp_path: Path) -> None:
    endings = (":small", ":large", ":small@v1", "", ":medium", ":small@v9")
    found = load(data, tmp_path, *(f"tester/data{ending}" for ending in endings))
    assert found["tester/data:small"] == [4, ["a", "b"], ["tester/data", "small", None]]
    assert found["tester/data:large"] == [9, ["x", "y", "z"], ["tester/data", "large", None]]
    assert found["tester/data:small@v1"] == [6, ["a", "b"], ["tester/data", "small", "v1"]]
    there = "dataset 'tester/data' has the configurations small, large"
    assert found["tester/data"] == f"{there}; name one as tester/data:NAME"
    assert found["tester/data:medium"] == f"{there}, not medium; name one as tester/data:NAME"
    assert found["tester/data:small@v9"] == "dataset 'tester/data' has no revision 'v9'"


def test_a_run_records_the_parts_of_the_name(data: HubServer, tmp_path: Path) -> None:
    name = "tester/data:small@v1"
    options = f"--dataset {name} --img-size 32 --epochs 1 --batch-size 2 --workers 0 --mix mixup --output run"
    done = run_command(data, tmp_path, "train", *options.split())
    assert done.returncode == 0, done.stderr
    assert f"data: {name}, images in column 'image', labels in column 'label', 2 classes" in done.stdout
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    parts = {"repo_id": "tester/data", "configuration": "small", "revision": "v1"}
    assert summary["data"].items() >= parts.items()
    assert (summary["dataset"], summary["dataset_kind"], summary["train_samples"]) == (name, "hub", 6)


def test_the_card_links_to_the_repository(tmp_path: Path) -> None:
    record = run_record(tmp_path, dataset="tester/data:small@v1", dataset_kind="hub")
    card, metadata = make_card(record, "me/name"), make_metadata(record, "me/name").to_dict()
    link = "[tester/data](https://huggingface.co/datasets/tester/data)"
    assert f"{link} (configuration `small`, revision `v1`)" in card
    assert metadata["datasets"] == ["tester/data"]
    [about] = {str(result["dataset"]) for result in metadata["model-index"][0]["results"]}
    assert "'type': 'tester/data'" in about
    assert "'config': 'small'" in about
    assert "'revision': 'v1'" in about

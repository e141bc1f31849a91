"""Libraries that know the Hub by HF_ENDPOINT only, each in a process of its own: cards, timm, datasets."""

import io
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pytest
from huggingface_hub import HfApi
from pyarrow import parquet

from tests.fakehub.environment import run_python
from tests.fakehub.server import HubServer

TIMM = """
import huggingface_hub, timm, torch
from huggingface_hub import HfApi, ModelCard
from timm.models import save_for_hf

print(huggingface_hub.__version__)
model = timm.create_model("test_resnet", num_classes=3).eval()
save_for_hf(model, "saved", safe_serialization=True)
open("saved/README.md", "w").write("---\\nlicense: mit\\n---\\n# Hello\\n")
HfApi().create_repo("tester/net", private=True)
HfApi().upload_folder(repo_id="tester/net", folder_path="saved")
HfApi().create_tag("tester/net", tag="v1")
images = torch.randn(2, 3, 64, 64)
for name in ("hf-hub:tester/net", "hf-hub:tester/net@v1"):
    loaded = timm.create_model(name, pretrained=True).eval()
    assert torch.equal(loaded(images), model(images))
card = ModelCard.load("tester/net")
print(card.data.license, card.text.strip(), HfApi().model_info("tester/net").card_data.license)
"""

DATASETS = """
import huggingface_hub
from datasets import load_dataset

print(huggingface_hub.__version__)
for streaming in (False, True):
    splits = load_dataset("tester/data", streaming=streaming)
    rows = list(splits["train"])
    print(sorted(splits), [row["label"] for row in rows], rows[1]["text"])
print(len(load_dataset("tester/data", split="train", revision="old")))
"""


def table(*labels: int) -> bytes:
    """A parquet file of a few rows."""
    file = io.BytesIO()
    parquet.write_table(pa.table({"label": list(labels), "text": [f"row {label}" for label in labels]}), file)
    return file.getvalue()


def test_timm_and_cards_in_a_private_repo(hub: HubServer, tmp_path: Path) -> None:
    lines = run_python(TIMM, hub, tmp_path).stdout.splitlines()
    assert lines == [huggingface_hub.__version__, "mit # Hello mit"]
    assert hub.store.repo("tester/net").titles() == ["Upload folder using huggingface_hub", "initial commit"]


def test_load_dataset_whole_and_streaming(hub: HubServer, api: HfApi, tmp_path: Path) -> None:
    repo = hub.store.create("tester/data", "datasets")
    repo.commit({"data/train-00000-of-00001.parquet": table(7)}, "old")
    api.create_tag("tester/data", tag="old", repo_type="dataset")
    files = {"train": table(1, 2, 3), "test": table(4, 5)}
    repo.commit({f"data/{name}-00000-of-00001.parquet": data for name, data in files.items()}, "new")
    lines = run_python(DATASETS, hub, tmp_path).stdout.splitlines()
    assert lines == [huggingface_hub.__version__, *["['test', 'train'] [1, 2, 3] row 2"] * 2, "1"]


def test_without_the_token_a_private_repo_is_not_there(hub: HubServer, tmp_path: Path) -> None:
    hub.store.create("tester/net", private=True)
    with pytest.raises(RuntimeError, match="RepositoryNotFoundError"):
        run_python("import huggingface_hub as h; h.model_info('tester/net')", hub, tmp_path, token=None)

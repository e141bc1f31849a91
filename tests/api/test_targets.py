"""Objects whose labels are several for an image, or numbers: as tables with the same images and labels."""

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

import timm_multimix
from tests.training.helpers import outcome
from timm_multimix.data.object_labels import Labelling, find_task
from timm_multimix.errors import UsageError

from .test_training import SMALL, Net, leave_at_the_first_checkpoint, one_thread, train

__all__ = ["one_thread"]  # for every test here

KINDS = ("multi-label", "regression")
METRICS = {"multi-label": "map", "regression": "mae"}


def label_of(kind: str, index: int) -> list[int] | float:
    return [int(index % 2 == 0), int(index % 3 == 0), 1] if kind == "multi-label" else index % 7 / 3


def list_or_number(label: Any) -> Any:
    return label


def image_of(index: int) -> Image.Image:
    pixels = np.random.default_rng(index).integers(0, 200, (32, 32, 3), dtype=np.uint8)
    pixels[:, :, index % 3] += 50
    return Image.fromarray(pixels)


class Items(Dataset):
    """Images with labels as lists, arrays or tensors."""

    def __init__(self, kind: str, count: int, form: Any = list_or_number, tensors: bool = False) -> None:
        self.kind, self.count, self.form, self.tensors = kind, count, form, tensors

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, label = image_of(index), self.form(label_of(self.kind, index))
        return (torch.tensor(np.array(image)).permute(2, 0, 1) / 255 if self.tensors else image), label


def table(kind: str, count: int) -> datasets.Dataset:
    rows = {"image": [*map(image_of, range(count))], "value": [label_of(kind, k) for k in range(count)]}
    return datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())


@pytest.mark.parametrize(
    "form", [lambda label: label, np.array, torch.tensor], ids=["plain", "numpy", "torch"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_of_torch_trains_as_the_table_of_the_same_data(kind, form):
    options = {"mix": "mixup | cutmix", "epochs": 1}
    ours = train("ours", train_data=Items(kind, 24, form), eval_data=Items(kind, 9, form), **options)
    train("table", train_data=table(kind, 24), eval_data=table(kind, 9), label_column="value", **options)
    assert (ours.summary.task, ours.summary.metric) == (kind, METRICS[kind])
    first, second = (outcome(Path(name)) for name in ("ours", "table"))
    assert first.pop("config.json") != second.pop("config.json")  # which names the class of the data
    assert first == second


def loader(kind: str, count: int, **options: Any) -> DataLoader:
    form = torch.tensor
    return DataLoader(Items(kind, count, form, tensors=True), batch_size=8, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_is_trained_on_and_resumed_exactly(kind):
    options = {"eval_data": loader(kind, 9), "checkpoint_interval": 1, "checkpoint_hist": 100, "mix": "mixup"}
    options |= {name: SMALL[name] for name in ("epochs", "lr")}
    data = loader(kind, 24, shuffle=True, drop_last=True)
    run = timm_multimix.train(train_data=data, output="whole", **options)
    assert (run.summary.task, run.summary.metric) == (kind, METRICS[kind])
    timm_multimix.train(train_data=data, output="parts", **options)
    leave_at_the_first_checkpoint("parts")
    timm_multimix.train(train_data=data, output="parts", resume="auto", **options)
    assert outcome(Path("parts")) == outcome(Path("whole"))


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_evaluated_as_in_training(kind):
    evaluation = Items(kind, 9)
    run = train("run", train_data=Items(kind, 24), eval_data=evaluation, epochs=1)
    value = getattr(run.summary, METRICS[kind])
    assert run.evaluate(evaluation)["accuracy"][METRICS[kind]] == pytest.approx(value, rel=1e-4)
    by_network = timm_multimix.evaluate(run.model, evaluation)["accuracy"]
    assert by_network[METRICS[kind]] == pytest.approx(value, rel=1e-4)


def test_whole_numbers_are_regression_targets_on_request():
    """Also of a tensor dataset with a column of them."""
    images = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images, torch.arange(24)[:, None])
    run = train("run", model=Net(1), train_data=data, eval_data=data, task="regression", epochs=1)
    assert run.summary.metric == "mae"
    with torch.no_grad():
        expected = (run.model(images)[:, 0] - torch.arange(24)).abs().mean().item()
    assert run.summary.mae == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("label", "asked", "task"),
    [
        (3, "auto", "classification"),
        (torch.tensor(3), "auto", "classification"),
        (np.float64(3), "auto", "regression"),
        ([0.5], "auto", "regression"),
        ([0, 1], "auto", "multi-label"),
        (torch.zeros(4), "multi-label", "multi-label"),
        (3, "regression", "regression"),
    ],
)
def test_the_first_label_decides_the_task(label, asked, task):
    assert find_task(label, asked, "data") == task


@pytest.mark.parametrize(
    ("label", "asked"),
    [(3, "multi-label"), (0.5, "classification"), ([0, 1], "regression"), ("a", "regression")],
)
def test_another_task_is_refused(label, asked):
    with pytest.raises(UsageError, match=f"`task` {asked}: the labels of data are for "):
        find_task(label, asked, "data")


@pytest.mark.parametrize(
    ("task", "label", "said"),
    [
        ("classification", 3, "an integer from 0 to 2, got 3"),
        ("classification", -1, "an integer from 0 to 2, got -1"),
        ("classification", 1.0, "an integer from 0 to 2, got 1.0"),
        ("classification", True, "an integer from 0 to 2, got True"),
        ("classification", "cat", "an integer from 0 to 2, got 'cat'"),
        ("classification", [0, 1], "an integer from 0 to 2"),
        ("multi-label", [0, 1], "3 numbers, each 0 or 1, got"),
        ("multi-label", [0, 1, 2], "3 numbers, each 0 or 1, got"),
        ("multi-label", 1, "3 numbers, each 0 or 1, got 1"),
        ("regression", float("nan"), "a finite number, got nan"),
        ("regression", [1.0, 2.0], "a finite number, got"),
        ("regression", None, "a finite number, got None"),
    ],
)
def test_a_label_of_another_kind_is_reported_with_its_item(task, label, said):
    labelling = Labelling(task, ["a", "b", "c"] if task != "regression" else ["value"])
    with pytest.raises(UsageError) as found:
        labelling.read(label, "item 5 of data")
    assert f"the label of item 5 of data must be {said}" in str(found.value)
    if isinstance(label, int | float | list):
        with pytest.raises(UsageError, match="each label of batch 2 must be"):
            labelling.read_batch(torch.tensor([label, label]), "batch 2")


def test_labels_of_batches():
    read = Labelling("regression", ["value"]).read_batch(torch.tensor([[1], [2]]), "batch 0")
    assert (read.tolist(), read.dtype) == ([1.0, 2.0], torch.float32)
    read = Labelling("classification", ["a", "b"]).read_batch(
        torch.tensor([1, 0], dtype=torch.uint8), "batch 0"
    )
    assert (read.tolist(), read.dtype) == ([1, 0], torch.int64)
    read = Labelling("multi-label", ["a", "b"]).read_batch(torch.tensor([[True, False]]), "batch 0")
    assert (read.tolist(), read.dtype) == ([[1.0, 0.0]], torch.float32)

"""`timm_multimix.train`: the trainer with objects, compared with the command line and with itself."""

import random
from pathlib import Path

import datasets
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

import timm_multimix
from tests.training.helpers import outcome
from timm_multimix import Callback, create_mixer
from timm_multimix.cli import main
from timm_multimix.errors import UsageError

SMALL = {"img_size": 32, "batch_size": 8, "epochs": 2, "workers": 0, "lr": 0.05}


@pytest.fixture(autouse=True)
def one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Pictures(Dataset):
    """Noise with a bright channel for each of three classes, and on request an augmentation."""

    classes = ("red", "green", "blue")

    def __init__(self, count: int, augment: bool = False, tensors: bool = False) -> None:
        self.count, self.augment, self.tensors = count, augment, tensors

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int):
        pixels = np.random.default_rng(index).integers(0, 200, (32, 32, 3), dtype=np.uint8)
        label = index % 3
        pixels[:, :, label] += 50
        if self.augment:
            shift = random.randrange(32) + np.random.randint(4) + int(torch.randint(4, ()))
            pixels = np.roll(pixels, shift, axis=1)
        image = Image.fromarray(pixels)
        return (torch.tensor(pixels).permute(2, 0, 1) / 255 if self.tensors else image), label


def train(output: str, **options):
    return timm_multimix.train(output=output, **SMALL | options)


def leave_at_the_first_checkpoint(output: str) -> None:
    """Turn a finished run into one that was interrupted within its first epoch."""
    run = Path(output)
    (run / "summary.json").unlink()
    for checkpoint in sorted(run.glob("checkpoints/step-*"))[1:]:
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()


def test_names_give_the_run_of_the_command_line():
    run = timm_multimix.train(mix="mixup", epochs=1, batch_size=256, workers=0, output="here")
    words = "train --mix mixup --epochs 1 --batch-size 256 --workers 0 --output there"
    assert main(words.split()) == 0
    assert outcome(Path("here")) == outcome(Path("there"))
    assert (run.directory, run.summary.mix, run.summary.model) == (Path("here"), "mixup", "test_resnet")
    assert run.metrics[-1]["eval_top1"] == run.summary.top1
    assert not run.model.training
    again = timm_multimix.Run("there").model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in run.model.state_dict().items())


@pytest.mark.parametrize("tensors", [False, True])
def test_a_dataset_that_draws_is_resumed_exactly(tensors):
    """Its random numbers depend on the sample alone: also with other workers, and within an epoch."""
    data = {
        "checkpoint_hist": 100,
        "train_data": Pictures(44, augment=True, tensors=tensors),
        "eval_data": Pictures(13, tensors=tensors),
        "mix": "mixup | cutmix",
    }
    run = train("whole", checkpoint_interval=2, **data)
    assert run.summary.classes == 3
    assert run.summary.dataset == "python:Pictures"
    train("parts", checkpoint_interval=2, **data)
    leave_at_the_first_checkpoint("parts")
    train("parts", resume="auto", checkpoint_interval=2, workers=2 if not tensors else 0, **data)
    assert outcome(Path("parts")) == outcome(Path("whole"))


def make_loader(**options) -> DataLoader:
    return DataLoader(Pictures(44, augment=True, tensors=True), batch_size=8, shuffle=True, **options)


def test_a_loader_is_used_as_it_is_and_resumed_exactly():
    evaluation = DataLoader(Pictures(13, tensors=True), batch_size=5)
    options = {"eval_data": evaluation, "checkpoint_interval": 2, "checkpoint_hist": 100}
    options = {name: value for name, value in SMALL.items() if name in ("epochs", "lr")} | options
    run = timm_multimix.train(train_data=make_loader(drop_last=True), output="whole", **options)
    assert (run.summary.batch_size, run.summary.train_samples, run.summary.samples_evaluated) == (8, 40, 13)
    timm_multimix.train(train_data=make_loader(drop_last=True), output="parts", **options)
    leave_at_the_first_checkpoint("parts")
    timm_multimix.train(train_data=make_loader(drop_last=True), output="parts", resume="auto", **options)
    assert outcome(Path("parts")) == outcome(Path("whole"))


def test_a_loader_with_a_generator_of_its_own_is_warned_of(capsys):
    loader = make_loader(generator=torch.Generator())
    evaluation = DataLoader(Pictures(13, tensors=True), batch_size=5)
    timm_multimix.train(train_data=loader, eval_data=evaluation, epochs=1, output="run")
    assert "train_data has a generator of its own" in capsys.readouterr().err


def table(count: int) -> datasets.Dataset:
    pictures = Pictures(count)
    rows = {"image": [pictures[k][0] for k in range(count)], "label": [pictures[k][1] for k in range(count)]}
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(Pictures.classes))}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


def test_tables_of_the_datasets_library():
    """A dictionary of splits, one table of which a part is held out, and rows that were chosen."""
    both = datasets.DatasetDict({"train": table(24), "test": table(9)})
    run = train("splits", train_data=both, epochs=1)
    assert (run.summary.train_samples, run.summary.samples_evaluated) == (24, 9)
    run = train("held out", train_data=table(30), val_split=0.2, epochs=1)
    assert (run.summary.train_samples, run.summary.samples_evaluated) == (24, 6)
    chosen = table(30).select(range(0, 30, 2))
    run = train("chosen", train_data=chosen, eval_data=table(9), epochs=1)
    assert run.summary.train_samples == 15
    with pytest.raises(UsageError, match=r"^streaming has no effect on a table that is opened already"):
        train("streamed", train_data=table(24), eval_data=table(9), streaming=True)


def test_a_table_whose_labels_are_numbers():
    """`task` decides about integers, in both tables."""
    both = {"train_data": table(24), "eval_data": table(9)}
    for name, data in both.items():
        both[name] = data.cast_column("label", datasets.Value("int64"))
    run = train("run", task="regression", epochs=1, **both)
    assert (run.summary.task, run.summary.metric) == ("regression", "mae")


class Net(torch.nn.Module):
    """Not one of timm's."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.pool, self.head = torch.nn.AdaptiveAvgPool2d(4), torch.nn.Linear(48, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(x).flatten(1))


def test_a_network_of_ones_own_is_trained_in_place():
    net = Net()
    before = net.head.weight.detach().clone()
    data = {"train_data": Pictures(44), "eval_data": Pictures(13)}
    run = train("run", model=net, **data)
    assert run.model is net
    assert not torch.equal(net.head.weight, before)
    assert run.summary.model == "python:Net"
    with pytest.raises(UsageError, match="load its weights from run"):
        _ = timm_multimix.Run("run").model
    with pytest.raises(UsageError, match="only networks that timm makes"):
        run.push("user/name", dry_run="files")


def test_a_network_of_timm_is_exported_as_one():
    torch.manual_seed(1)
    run = train(
        "run",
        model=timm.create_model("test_resnet", num_classes=3),
        train_data=Pictures(44),
        eval_data=Pictures(13),
        epochs=1,
        model_ema=True,
    )
    assert run.summary.model == "python:test_resnet"
    loaded = timm.create_model("local-dir:run/model", pretrained=True)
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert (Path(run.push("user/name", dry_run="files")) / "README.md").is_file()


class Curious(Callback):
    """A callback that records its arguments and then changes them."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[tuple[int, float]] = []

    def on_step(self, state) -> None:
        self.steps.append(state.step)
        random.random(), np.random.rand(), torch.rand(3)
        with torch.no_grad():
            for value in state.copy_model().parameters():
                value.zero_()

    def on_epoch_end(self, state) -> None:
        self.epochs.append((state.epoch, state.metrics["eval_top1"]))
        with pytest.raises(TypeError):
            state.metrics["eval_top1"] = 100.0


def test_callbacks_are_called_and_change_nothing():
    data = {"train_data": Pictures(44, augment=True), "eval_data": Pictures(13), "mix": "multimix"}
    curious = Curious()
    run = train("with", callbacks=[curious], **data)
    train("without", **data)
    assert outcome(Path("with")) == outcome(Path("without"))
    assert curious.steps == list(range(1, 11))
    assert curious.epochs == [(k, row["eval_top1"]) for k, row in enumerate(run.metrics, 1)]


def test_an_exception_of_a_callback_ends_a_run_that_can_be_resumed():
    class Stop(Callback):
        def on_epoch_end(self, state) -> None:
            raise KeyError("enough")

    data = {"train_data": Pictures(44), "eval_data": Pictures(13)}
    with pytest.raises(KeyError, match="enough"):
        train("run", callbacks=[Stop()], **data)
    run = train("run", resume="auto", **data)
    assert run.summary.epochs == len(run.metrics) == 2


FIVE = torch.tensor([0, 4])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rate": 1}, r"unknown option 'learning_rate'"),
        ({"batchsize": 8}, r"unknown option 'batchsize'; did you mean batch_size"),
        ({"dataset": Pictures(3)}, r"^dataset must be left out; data are given as train_data"),
        ({"lr": -1}, r"^lr: expected a number > 0, got '-1'"),
        ({"mix": "mixupp"}, "unknown mixer 'mixupp' .did you mean mixup"),
        ({"eval_data": Pictures(3)}, "eval_data has no effect on train_data by name"),
        ({"train_data": Pictures(9)}, "eval_data must be given with a train_data object"),
        ({"train_data": iter([1]), "eval_data": Pictures(3)}, "train_data must be a dataset with a length"),
        (
            {"train_data": [(torch.zeros(3, 8, 8), 0)], "eval_data": Pictures(3)},
            "the classes of train_data are not known; give num_classes",
        ),
        ({"train_data": [1], "eval_data": [2], "num_classes": 2}, "item 0 of train_data must be a pair"),
        (
            {"train_data": Pictures(9, tensors=True), "eval_data": Pictures(3, tensors=True), "hflip": 0.5},
            "^hflip has no effect on images that are tensors already",
        ),
        (
            {
                "train_data": Pictures(9, tensors=True),
                "eval_data": Pictures(3, tensors=True),
                "train_interpolation": "bilinear",
            },
            "^train_interpolation has no effect on images that are tensors already",
        ),
        (
            {
                "train_data": Pictures(9),
                "eval_data": TensorDataset(torch.zeros(2, 3, 8, 8), FIVE),
            },
            "different classes: 3 and 5 classes",
        ),
        ({"train_data": Pictures(9), "eval_data": Pictures(3), "model": Net(2)}, "labels 0 to 2"),
        (
            {"train_data": Pictures(9), "eval_data": Pictures(3), "image_column": "image"},
            "^image_column has no effect on a dataset of images and labels",
        ),
        (
            {"train_data": Pictures(9), "eval_data": Pictures(3), "model": Net(), "pretrained": True},
            "^pretrained has no effect on a model that is given as an object",
        ),
        (
            {
                "train_data": Pictures(9),
                "eval_data": Pictures(3),
                "mix": create_mixer("mixup", seed=7),
            },
            "^mix must have no smoothing, seed or multi_label of its own",
        ),
        (
            {
                "train_data": Pictures(9),
                "eval_data": Pictures(3),
                "mix": create_mixer("mixup", multi_label=True),
            },
            "^mix must have no smoothing, seed or multi_label of its own",
        ),
    ],
)
def test_messages_name_python_arguments_and_no_files_are_left(options, said):
    with pytest.raises(UsageError, match=said):
        train("run", **options)
    assert not Path("run").exists()


def test_the_command_line_does_not_resume_a_run_with_python_objects(capsys):
    train("run", train_data=Pictures(44), eval_data=Pictures(13), epochs=1)
    Path("run/summary.json").unlink()
    assert main(["train", "--output", "run", "--resume", "auto"]) == 2
    assert "was trained with a Pictures object as its train_data" in capsys.readouterr().err


def test_the_functions_are_reached_before_and_after_the_packages():
    import timm_multimix.training.run

    assert timm_multimix.train.__module__ == "timm_multimix.api.training"
    assert timm_multimix.training.run is not None

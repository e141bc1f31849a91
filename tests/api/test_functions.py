"""`evaluate`, `compare`, `preview`: the same numbers as the command line, as data and as figures."""

import json
from pathlib import Path

import pytest
import timm
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader, TensorDataset

import timm_multimix
from tests.api.test_training import Net, Pictures, one_thread, train  # noqa: F401
from timm_multimix.cli import main
from timm_multimix.errors import UsageError

QUICK = {"epochs": 1, "batch_size": 256, "workers": 0}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> timm_multimix.Run:
    """A run on digits."""
    return timm_multimix.train(**QUICK, output=str(tmp_path_factory.mktemp("digits") / "run"))


def test_a_run_is_measured_as_the_command_line_does(digits, capsys):
    measured = digits.evaluate(workers=0)
    assert measured["accuracy"]["top1"] == digits.summary.top1
    written = json.loads((digits.directory / "evaluation.json").read_text())["evaluations"]
    assert written[-1]["accuracy"] == measured["accuracy"]
    capsys.readouterr()
    assert main(["evaluate", str(digits.directory), "--workers", "0"]) == 0
    assert repr(measured) in capsys.readouterr().out
    assert measured.tables[0].title in measured._repr_html_()


def test_objects_are_measured_as_training_did():
    """A network that is not timm's, on tensors and on images; a copy of it is measured."""
    net = Net()
    for tensors in (False, True):
        evaluation = Pictures(13, tensors=tensors)
        run = train(
            f"run {tensors}", model=net, train_data=Pictures(44, tensors=tensors), eval_data=evaluation
        )
        assert run.evaluate(evaluation, workers=0)["accuracy"]["top1"] == run.summary.top1
        measured = timm_multimix.evaluate(net, evaluation, workers=0, img_size=32)
        assert measured.record["model"] == {"name": "python:Net", "kind": "python", "outputs": 3}
        assert measured.record["data"]["kind"] == "python"
        assert measured["accuracy"]["top1"] == run.summary.top1
    assert all(parameter.requires_grad for parameter in net.parameters())
    with pytest.raises(UsageError, match="trained on a Pictures object; give data"):
        run.evaluate()
    with pytest.raises(UsageError, match="dataset must be left out; data are given as data"):
        timm_multimix.evaluate(net, dataset=evaluation)
    with pytest.raises(UsageError, match="data must be a dataset, not a loader"):
        run.evaluate(DataLoader(Pictures(13, tensors=True), batch_size=5))
    with pytest.raises(UsageError, match="unknown option 'corruption'; did you mean corruptions"):
        run.evaluate(evaluation, corruption=True)


def test_a_run_with_a_network_of_ones_own_is_measured_on_what_it_held_out(tmp_path):
    """Not on the images that it was trained on, which the directory holds as well."""
    for index in range(24):
        image, label = Pictures(24)[index]
        (tmp_path / "own/train" / str(label)).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "own/train" / str(label) / f"{index}.png")
    run = train("run", model=Net(), train_data=tmp_path / "own", val_split=0.25)
    measured = run.evaluate(workers=0)
    assert measured.record["data"]["samples"] == run.summary.samples_evaluated == 6
    assert measured.record["data"]["split"] == run.summary.evaluation_split
    assert measured["accuracy"]["top1"] == run.summary.top1
    assert json.loads((run.directory / "evaluation.json").read_text())["evaluations"] == [measured.record]


@pytest.mark.parametrize("asked", [{"attacks": ["fgsm"], "epsilons": [1 / 255]}, {"corruptions": True}])
def test_normalized_tensors_are_no_pixels(asked):
    """Clamped to [0, 1], most of such an image would be lost; their mean and std make pixels of it."""
    torch.manual_seed(0)
    pixels, labels, net = torch.rand(6, 3, 32, 32), torch.arange(6) % 3, Net()
    part, given = next(iter(asked)), TensorDataset((pixels - 0.5) / 0.25, labels)
    net.pretrained_cfg = {"mean": (0.0,) * 3, "std": (1.0,) * 3}  # as in a run on tensors
    with pytest.raises(UsageError, match=rf"0 to 1 for {part}, got -2 to 2; give the mean and std"):
        timm_multimix.evaluate(net, given, workers=0, img_size=32, **asked)
    assert timm_multimix.evaluate(net, given, workers=0, img_size=32)["accuracy"]
    raw = timm_multimix.evaluate(net, TensorDataset(pixels, labels), workers=0, img_size=32, **asked)
    assert raw[part]
    net.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    assert timm_multimix.evaluate(net, given, workers=0, img_size=32, **asked)[part]


def test_the_mean_and_std_of_tensors_may_be_named_in_training():
    data = Pictures(44, tensors=True)
    run = train("named", model=Net(), train_data=data, eval_data=data, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert run.summary.top1 == run.evaluate(data, workers=0)["accuracy"]["top1"]
    assert run.model.pretrained_cfg["mean"] == (0.5,) * 3


def test_finished_runs_are_compared(digits, tmp_path):
    other = timm_multimix.train(mix="mixup", **QUICK, output=str(tmp_path / "mixup"))
    compared = timm_multimix.compare([digits, other.directory], output=tmp_path / "pages", comparisons=3)
    assert [row.label for row in compared.rows] == ["none", "mixup"]
    assert compared.rows[0].last.mean == digits.summary.top1
    assert compared.record == json.loads((tmp_path / "pages/comparison.json").read_text())
    assert "corrected for 3 comparisons (Bonferroni)" in compared.record["difference"]
    assert isinstance(compared.figure("differences"), Figure)
    with pytest.raises(UsageError, match=r"name must be one of curves, .*, got 'curve'"):
        compared.figure("curve")
    page = compared._repr_html_()
    assert page.count("<img") == 2
    assert "mixup" in page


def test_messages_about_a_comparison_name_python_arguments(tmp_path):
    with pytest.raises(UsageError, match=r"unknown option 'epoch'; did you mean epochs"):
        timm_multimix.compare(mix=["none", "mixup"], output=tmp_path / "pages", epoch=1)
    with pytest.raises(UsageError, match=r"^seeds has no effect on finished runs"):
        timm_multimix.compare(["somewhere"], output=tmp_path / "pages", seeds=2)
    with pytest.raises(UsageError, match=r"^somewhere is not a run's directory"):
        timm_multimix.compare("somewhere", output=tmp_path / "pages")
    with pytest.raises(UsageError, match=r"unknown mixer 'mixip'"):
        timm_multimix.compare(mix="mixip", output=tmp_path / "pages")


@pytest.mark.slow
def test_mixers_are_trained_and_compared(tmp_path):
    compared = timm_multimix.compare(mix=["none", "mixup"], output=tmp_path / "pages", seeds=1, **QUICK)
    assert [row.label for row in compared.rows] == ["none", "mixup"]
    assert compared.failures == {}


IMAGES, LABELS = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


def test_a_preview_is_data_and_a_figure():
    shown = timm_multimix.preview("cutmix | multimix(n=10, p=1)", IMAGES, LABELS, examples=2)
    cutmix, multimix = shown.panels
    assert len(cutmix.samples) == 2
    assert cutmix.samples[0].target.sum() == pytest.approx(1.0)
    assert multimix.tuples.weights.shape == (10, 6)
    assert isinstance(shown.figure, Figure)
    assert "data:image/png" in shown._repr_html_()
    assert repr(shown).startswith("Preview('cutmix | multimix(n=10, p=1)', ['cutmix, at the input (50%")
    whole = (IMAGES * 255).round().to(torch.uint8)
    again = timm_multimix.preview("mixup", whole, LABELS.tolist(), class_names=["a", "b", "c"])
    assert torch.equal(again.examples.pixels, whole / 255)


def test_a_preview_of_a_guided_mixer_takes_a_network():
    net = timm.create_model("test_resnet", num_classes=3, in_chans=1)
    with pytest.raises(UsageError, match="give one with model"):
        timm_multimix.preview("puzzlemix", IMAGES, LABELS)
    shown = timm_multimix.preview("puzzlemix", IMAGES, LABELS, model=net, examples=1)
    assert len(shown.panels[0].samples) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none | skip", IMAGES, LABELS), "mixers"),
        (("mixup", IMAGES[0], LABELS), r"images must be \[b, 1 or 3, h, w\] with b >= 2, got \[1, 16, 16\]"),
        (("mixup", IMAGES * 2, LABELS), "images must be from 0 to 1, or integers from 0 to 255"),
        (("mixup", IMAGES, LABELS[:3]), r"labels must be class indices \[6\], got \[3\]"),
        (("mixup", IMAGES, LABELS - 1), "labels must be from 0 to 1"),
    ],
)
def test_mistakes_in_a_preview(arguments, said):
    if said == "mixers":
        assert timm_multimix.preview(*arguments).panels
    else:
        with pytest.raises(UsageError, match=said):
            timm_multimix.preview(*arguments)


def test_tensors_are_a_dataset_with_classes():
    data = TensorDataset(torch.rand(12, 3, 32, 32), torch.arange(12) % 3)
    run = train("run", train_data=data, eval_data=data, epochs=1, batch_size=4)
    assert run.summary.classes == 3
    assert Path("run/model/config.json").is_file()

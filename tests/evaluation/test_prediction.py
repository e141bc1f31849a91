"""`predict`: names and probabilities of images, broken images, mistakes."""

import json
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image

from tests.finished_runs import COLOURS, make_model, make_run
from timm_multimix import cli
from timm_multimix.data.transforms import create_evaluation_transform
from timm_multimix.evaluation.classifier import Classifier
from timm_multimix.evaluation.prediction import class_names


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory of an untrained model with names."""
    directory = tmp_path_factory.mktemp("model") / "model"
    make_model(directory, COLOURS)
    return f"local-dir:{directory}"


@torch.no_grad()
def by_hand(model: str, file: Path) -> list[tuple[str, float]]:
    """Names and probabilities, most probable first, by timm alone."""
    network = timm.create_model(model, pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    shares = network(transform(Image.open(file).convert("RGB"))[None]).softmax(1)[0]
    names = network.pretrained_cfg["label_names"]
    return sorted(zip(names, shares.tolist(), strict=True), key=lambda pair: -pair[1])


def predict(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    status = cli.main(["predict", *map(str, argv), "--device", "cpu"])
    return status, *capsys.readouterr()


def test_files_and_directories_in_their_order_as_timm_predicts_them(model, colours, capsys) -> None:
    single = colours / "val" / "red" / "3.png"
    status, out, err = predict(
        capsys, model, single, colours / "val", "--json", "--topk", 2, "--batch-size", 4
    )
    assert (status, err) == (0, "")
    found = json.loads(out)
    files = [str(single), *sorted(map(str, (colours / "val").rglob("*.png")))]
    assert [row["image"] for row in found] == files
    assert len(found) == 16
    for row in found[::5]:
        names = [(one["class"], pytest.approx(one["probability"], abs=1e-5)) for one in row["classes"]]
        assert by_hand(model, Path(row["image"]))[:2] == names
        assert [COLOURS[one["index"]] for one in row["classes"]] == [name for name, _ in names]


def test_text_has_the_image_and_its_classes(model, colours, capsys) -> None:
    file = colours / "val" / "blue" / "0.png"
    status, out, _ = predict(capsys, model, file, "--topk", 9)
    first, *rows = out.splitlines()
    assert (status, first) == (0, str(file))
    assert [row.split() for row in rows] == [[f"{p:.2%}", name] for name, p in by_hand(model, file)]


def test_a_run_s_directory(tmp_path, colours, capsys) -> None:
    make_run(tmp_path / "run")
    status, out, _ = predict(capsys, tmp_path / "run", colours / "val" / "red" / "0.png", "--json")
    assert status == 0
    assert {one["class"] for one in json.loads(out)[0]["classes"]} <= set(COLOURS)


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_a_broken_image_is_reported_and_the_others_are_classified(
    model, colours, tmp_path, capsys, json_flag
) -> None:
    good = colours / "val" / "red" / "0.png"
    broken, empty = tmp_path / "broken.png", tmp_path / "empty.png"
    broken.write_bytes(good.read_bytes()[:60])
    empty.touch()
    status, out, err = predict(capsys, model, broken, good, empty, *json_flag)
    assert status == 2
    lines = err.splitlines()
    assert len(lines) == 2
    for line, file in zip(lines, (broken, empty), strict=True):
        assert line.startswith(f"error: broken image, {file}: ")
    if json_flag:
        found = json.loads(out)
        assert [row["image"] for row in found] == [str(broken), str(good), str(empty)]
        assert [sorted(row) for row in found] == [
            ["error", "image"],
            ["classes", "image"],
            ["error", "image"],
        ]
    else:
        assert [line for line in out.splitlines() if not line.startswith(" ")] == [str(good)]


def test_names_of_imagenet_for_models_of_timm_alone() -> None:
    network = timm.create_model("test_resnet", num_classes=1000)
    config = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    names = class_names(Classifier(network, config, None), "test_resnet")
    assert (len(names), names[0]) == (1000, "tench, Tinca tinca")
    assert class_names(Classifier(network, config, None), "local-dir:somewhere") == {}
    assert class_names(Classifier(network, config, ["a"]), "test_resnet") == {0: "a"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nonsense", "IMAGES"], "unknown model 'nonsense'"),
        (["local-dir:nowhere", "IMAGES"], "there is no directory nowhere"),
        (["wrn16_2_cifar", "IMAGES"], "wrn16_2_cifar"),
        (["MODEL", "EMPTY"], "no image files in"),
        (["MODEL"], "required: IMAGE"),
        (["MODEL", "IMAGES", "--topk", "0"], "--topk: expected a whole number >= 1"),
        (["MODEL", "IMAGES", "--device", "cuda:99"], "--device cuda:99"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(argv, words, model, colours, tmp_path, capsys) -> None:
    places = {"MODEL": model, "IMAGES": str(colours), "EMPTY": str(tmp_path)}
    assert cli.main(["predict", *(places.get(word, word) for word in argv)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert words in err


def test_the_evaluation_transform_equals_timms(model, colours) -> None:
    """The classifier's own normalisation equals that of the transform with mean and std."""
    network = timm.create_model(model, pretrained=True)
    config = timm.data.resolve_model_data_config(network)
    file = colours / "val" / "red" / "4.png"
    image = Image.open(file).convert("RGB")
    plain = create_evaluation_transform(config | {"mean": (0.0,) * 3, "std": (1.0,) * 3})(image)
    mean, std = (torch.tensor(config[name])[:, None, None] for name in ("mean", "std"))
    assert torch.allclose((plain - mean) / std, timm.data.create_transform(**config)(image), atol=1e-6)

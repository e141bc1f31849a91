"""The command: files that open, their content, and mistakes."""

from pathlib import Path

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from tests.finished_runs import make_pictures
from timm_multimix import cli
from timm_multimix.mixers import create_mixer
from timm_multimix.options.parser import parse
from timm_multimix.options.preview import PreviewOptions
from timm_multimix.previews.draws import Sample
from timm_multimix.previews.examples import Examples, choose, load_examples
from timm_multimix.previews.figure import draw_label
from timm_multimix.previews.layout import GREY, OTHER, OWN, largest_classes, shorten
from timm_multimix.previews.panels import Panel, make_panels


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_file_of_each_kind(ending, begins, tmp_path, capsys) -> None:
    out = tmp_path / f"x.{ending}"
    assert cli.main(["preview", "--mix", "mixup", "--out", str(out), "--examples", "1", "-b", "4"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert [file.name for file in tmp_path.iterdir()] == [out.name]
    assert out.read_bytes().startswith(begins)


@pytest.mark.filterwarnings("error")
def test_a_panel_for_each_mixer_of_a_spec(tmp_path) -> None:
    out = tmp_path / "x.png"
    spec = "cutmix | multimix(n=20, m=1, alpha=0, p=1)"
    assert cli.main(["preview", "--mix", spec, "--out", str(out), "--examples", "2", "-b", "4"]) == 0
    with Image.open(out) as picture:
        picture.load()
        assert picture.width == 12.6 * 120
        assert picture.height == pytest.approx((2 * 0.6 + 2 * 1.72 + 0.35 + 0.2 + 4.45) * 120, abs=2)


def panels_of(*argv: str, directory: Path) -> list[Panel]:
    """The panels that `preview` draws."""
    options = parse(PreviewOptions, [*argv, "--out", str(directory / "x.png"), "--img-size", "16"])
    examples = load_examples(options.data, options.network, options.file.seed)
    branches = create_mixer(options.file.mix).branches
    return make_panels(branches, examples, options.file.examples, options.file.seed)


def test_the_content_of_the_figure(tmp_path) -> None:
    spec = "0.25*cutmix | multimix(n=20)"
    panels = panels_of("--mix", spec, "--examples", "3", "--batch-size", "8", directory=tmp_path)
    titles = [panel.title for panel in panels]
    assert titles[::2] == [
        "cutmix, at the input (20% of the steps)",
        "mixup, at the input (40% of the steps)",
    ]
    assert titles[1].startswith("multimix, before the classifier (")
    assert [len(panel.samples) for panel in panels] == [3, 0, 3]
    arguments = "alpha = 1.0, per_sample = False, correct = True, minmax = None, partner = random"
    assert panels[0].arguments == arguments
    for sample in (*panels[0].samples, *panels[2].samples):
        assert sample.image.shape == (3, 16, 16)
        assert sample.target.sum().item() == pytest.approx(1)
    assert panels[1].tuples.weights.shape == (20, 8)
    assert panels[1].tuples.shown == [0, 10, 19]


def test_the_figure_depends_on_the_seed(tmp_path) -> None:
    words = ["--mix", "mixup", "--examples", "2", "-b", "4", "--seed"]
    a, b, c = (panels_of(*words, seed, directory=tmp_path)[0].samples for seed in "112")
    assert all(torch.equal(x.image, y.image) for x, y in zip(a, b, strict=True))
    assert not any(torch.equal(x.image, y.image) for x, y in zip(a, c, strict=True))


def test_examples_of_class_directories_with_a_model_of_other_order(tmp_path) -> None:
    """The figure has the data's labels, the guide the model's."""
    from tests.finished_runs import make_model

    make_pictures(tmp_path / "data", 3)
    make_model(tmp_path / "model", ["shade2", "shade0", "shade1"])
    words = ["--mix", "puzzlemix", "--out", str(tmp_path / "x.png"), "-b", "5", "--examples", "1"]
    words += ["--dataset", str(tmp_path / "data"), "--model", f"local-dir:{tmp_path}/model"]
    options = parse(PreviewOptions, words)
    examples = load_examples(options.data, options.network, options.file.seed)
    assert examples.class_names == ["shade0", "shade1", "shade2"]
    assert examples.model_labels is not None
    assert [(1, 2, 0)[label] for label in examples.labels] == examples.model_labels.tolist()
    assert examples.pixels.shape == (5, 3, 32, 32)
    shade = (examples.pixels[:, 0].mean((1, 2)) * 255 / 25).round().long()
    assert torch.equal(shade, examples.labels)
    assert cli.main(["preview", *words]) == 0


def test_chosen_examples_are_different_ones() -> None:
    assert sorted(choose(5, 9, 0)) == [0, 1, 2, 3, 4]
    assert len(set(choose(100, 32, 3))) == 32
    assert choose(100, 32, 3) != choose(100, 32, 4)


def test_bars_join_the_labels_of_a_class_and_the_classes_beyond_the_largest() -> None:
    labels, names = torch.tensor([0, 1, 2, 3, 4, 0]), ["a", "b", "c", "d", "a long name of a class"]
    target = torch.tensor([0.1, 0.2, 0.05, 0.15, 0.1, 0.4])
    examples = Examples(torch.zeros(6, 3, 2, 2), labels, names)
    label = largest_classes(target, examples)
    assert label.names == ["a", "b", "d", "2 others"]
    assert label.classes == [0, 1, 3, -1]
    assert label.weights == pytest.approx([0.5, 0.2, 0.15, 0.15])
    panel = Figure().subplots()
    draw_label(panel, Sample(torch.zeros(3, 2, 2), (1, 5), torch.ones(2, 2), target, target), examples)
    assert [to_hex(bar.get_facecolor()) for bar in panel.patches] == [OTHER, OWN, to_hex(GREY), to_hex(GREY)]


def test_names_are_short_and_no_formulas() -> None:
    assert shorten("$x$") == r"\$x\$"
    assert len(shorten("a" * 40)) == 18


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--mix", "mixpu"], "unknown mixer 'mixpu' (did you mean"),
        (["--mix", "mixup", "--dataset", "no/where"], "dataset 'no/where'"),
        (["--mix", "mixup", "--out", "x.txt"], "expected a file that ends in .png, .svg, .pdf, got 'x.txt'"),
        (["--mix", "mixup", "--out", "nowhere/x.png"], "a file in a directory that exists is expected"),
        (["--mix", "mixup", "--out", "there.png"], "there.png exists; give --overwrite"),
        (["--mix", "none | puzzlemix"], "puzzlemix is guided by a model; give one with --model"),
        (["--mix", "dense_multimix"], "dense_multimix is guided by a model"),
        (["--mix", "transmix", "--model", "test_resnet"], "must have attention over all positions"),
        (["--mix", "puzzlemix(grid=5)", "--model", "test_resnet"], "grid"),
        (["--mix", "puzzlemix", "--model", "nonsense"], "unknown model 'nonsense'"),
        (["--mix", "mixup", "--pretrained"], "--pretrained has no effect without --model"),
        (["--mix", "mixup", "-b", "1"], "--batch-size: expected a whole number from 2 to 1024"),
        ([], "preview needs --mix; give --mix SPEC"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(argv, words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.png").write_bytes(b"mine")
    out = [] if "--out" in argv else ["--out", "x.png"]
    assert cli.main(["preview", *argv, *out, "--examples", "1"]) == 2
    printed, err = capsys.readouterr()
    assert (printed, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert words in err
    assert [file.name for file in tmp_path.iterdir()] == ["there.png"]
    assert Path("there.png").read_bytes() == b"mine"


def test_overwrite_replaces_a_file(tmp_path) -> None:
    out = tmp_path / "there.png"
    out.write_bytes(b"mine")
    words = [
        "--mix",
        "none",
        "--out",
        str(out),
        "--examples",
        "1",
        "-b",
        "2",
        "--img-size",
        "8",
        "--overwrite",
    ]
    assert cli.main(["preview", *words]) == 0
    assert Image.open(out).format == "PNG"

"""The worked examples of CONTRIBUTING.md, applied to a copy of the package, and its table of measures."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import measures

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


def section(title: str) -> str:
    found = CONTRIBUTING.read_text(encoding="utf-8").partition(f"\n## {title}")[2].partition("\n## ")[0]
    assert found, title
    return found


def block(title: str, language: str) -> str:
    """The one code block of a language in a section."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", section(title), re.S)
    return found


def change(copy: Path, diff: str) -> None:
    """Apply a diff without line numbers: the context of each hunk must occur once."""
    for change in diff.split("--- ")[1:]:
        name, *hunks = change.split("@@\n")
        file = copy.parent / name.strip()
        text = file.read_text(encoding="utf-8")
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
            assert text.count(old) == 1, f"{name.strip()} must hold once:\n{old}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


def append(copy: Path, name: str, text: str) -> None:
    with (copy / name).open("a", encoding="utf-8") as stream:
        stream.write("\n\n" + text)


def contents(copy: Path) -> set[tuple[str, bytes]]:
    """The files of a copy of the package."""
    return {(str(path.relative_to(copy)), path.read_bytes()) for path in copy.rglob("*") if path.is_file()}


def run(code: str, directory: Path, *argv: str) -> str:
    """Output of Python with this directory first in its path."""
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), str(CONTRIBUTING.parent)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    """The column `now` of the table of measures."""
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \|$", section("Measures"), re.M)
    return {name: now for name, now in rows if name != "measure"}


ADDITIONS: dict[str, tuple[Callable[[Path], None], str]] = {}
"""Name: (the change of a copy of the package, a script that uses it); filled by `addition` below."""


def addition(name: str, script: str) -> Callable[[Callable[[Path], None]], None]:
    return lambda add: ADDITIONS.update({name: (add, script)})


RUN_ALL = """
import contextlib, io, json, sys, traceback

found = {}
for name, script in json.load(open(sys.argv[1])).items():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            exec(compile(script, name, "exec"), {"__name__": "script"})
        except BaseException:
            traceback.print_exc()
            said.write(FAILED)
    found[name] = said.getvalue()
print(json.dumps(found))
"""
FAILED = "this script has failed"


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """Output of the script of each addition, and the number of files that it changed.

    All are made in one copy and used in one process: a copy and a process each take seconds.
    """
    directory = tmp_path_factory.mktemp("added")
    copy = directory / "timm_multimix"
    shutil.copytree(measures.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before, counts = contents(copy), {}
    for name, (add, _) in ADDITIONS.items():
        add(copy)
        after = contents(copy)
        before, counts[name] = after, len(after - before)
    scripts = directory / "scripts.json"
    scripts.write_text(json.dumps({name: script for name, (_, script) in ADDITIONS.items()}))
    said = json.loads(run(f"FAILED = {FAILED!r}\n{RUN_ALL}", directory, str(scripts)).splitlines()[-1])
    return {name: (said[name], counts[name]) for name in ADDITIONS}


MIXER = """
import torch
from timm_multimix import MixTask, cli, create_mixer
from timm_multimix.errors import UsageError
from timm_multimix.hub.methods import methods, unique_citations

x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 8, 6)
mixed, soft = create_mixer("halves(share=0.25)", num_classes=4)(x, torch.arange(4))
own = torch.arange(4.0).view(4, 1, 1, 1)
assert mixed[:, :, :2].eq(own).all()
partner = mixed[:, 0, 2, 0]
assert mixed[:, :, 2:].eq(partner.view(4, 1, 1, 1)).all()
assert partner.sort().values.tolist() == [0, 1, 2, 3]
assert torch.allclose(soft, 0.25 * torch.eye(4) + 0.75 * torch.eye(4)[partner.long()])

mixer = create_mixer("halves(0.75, False, 'hidden', 1)").branches[0][1].mixer
assert (mixer.place, mixer.layers) == ("hidden", (1,))
assert mixer.arguments == {"share": 0.75, "upper": False}

for spec in ("halves(share=2)", "halves(upper=1)", "halves(place='embedding')"):
    try:
        create_mixer(spec)
    except UsageError as error:
        print(error)
print(*unique_citations(methods("halves")))
cli.main(["list", "halves"])
"""


@addition("mixer", MIXER)
def add_a_mixer(copy: Path) -> None:
    append(copy, "mixers/masks.py", block("Add a mixer", "python"))


@pytest.mark.parametrize("place", ["a module of one's own", "the package"])
def test_a_mixer(place: str, tmp_path: Path, request: pytest.FixtureRequest, table: dict[str, str]) -> None:
    if place == "the package":
        said, files = request.getfixturevalue("added")["mixer"]
        assert FAILED not in said, said
        assert files == int(table["files that a mixer changes"])
    else:
        (tmp_path / "halves.py").write_text(block("Add a mixer", "python"), encoding="utf-8")
        said = run("import halves\n" + MIXER, tmp_path)
    for words in (
        "mixer halves: share must be a number from 0 to 1, got 2",
        "mixer halves: upper must be True or False, got 1",
        "mixer halves: place must be one of input, hidden, got 'embedding'",
        "title         = {Improved Mixed-Example Data Augmentation}",
        "eprint        = {1805.11272}",
        "Halves: show a partner below or above a line, labels by area.",
        "share=0.5                 the height of what is kept, of the image's\n",
    ):
        assert words in said


CRITERION = """
import torch
from torch.nn.functional import huber_loss
from timm_multimix import MixTask

x, target = torch.randn(4, 5), 3 * torch.randn(4, 3)
task = MixTask(torch.nn.Linear(5, 3), "mixup", criterion="huber").train()
found = task(x, target)
torch.testing.assert_close(found["loss"], huber_loss(found["output"], found["target"]))
MixTask(torch.nn.Linear(5, 3), "multimix(p=1)", criterion="huber").train()(x, target)["loss"].backward()
"""


@addition("criterion", CRITERION)
def add_a_criterion(copy: Path) -> None:
    append(copy, "functional/criteria.py", block("Add a criterion", "python"))


def test_a_criterion(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["criterion"]
    assert FAILED not in said, said
    assert files == int(table["files that a criterion changes"])


OPTION = """
import numpy, yaml
from pathlib import Path
from PIL import Image
from timm_multimix import cli
from timm_multimix.comparison.arm_names import make_arm_names
from timm_multimix.data.transforms import create_transforms
from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions, options_to_yaml, parse_train_options
from timm_multimix.options.relations import names_of

Path("c.yaml").write_text("solarize: 0.25")
for words in ("--config c.yaml", "--config c.yaml --solarize 1"):
    print("solarize", yaml.safe_load(options_to_yaml(parse_train_options(words.split())))["solarize"])
for words in ("--solarize 2", "--no-aug --solarize 0.1", "--solarise 0.1"):
    cli.main(["train", *words.split()])
print(make_arm_names([{"mix": "mixup", "solarize": 0.1}, {"mix": "mixup"}]))
assert "solarize" in names_of(TrainOptions, bears_on_result=True)

config = {"input_size": (3, 8, 8), "mean": (0, 0, 0), "std": (1, 1, 1)}
config |= {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bicubic"}
options = parse_train_options("--solarize 1 --hflip 0 --crop-padding 1".split()).augmentation
plan, _ = create_transforms(options, config)
values = plan(Image.fromarray(numpy.full((8, 8, 3), 200, numpy.uint8))).unique()
assert {55} <= set(values.mul(255).round().tolist()) <= {0, 55}, values  # 255 - 200; black beyond the edges
try:
    plan.batched()
except UsageError as error:
    print(error)
try:
    cli.main(["train", "--help"])
except SystemExit:
    pass
"""


@addition("option", OPTION)
def add_an_option(copy: Path) -> None:
    change(copy, block("Add an option", "diff"))


def test_an_option(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["option"]
    assert FAILED not in said, said
    for words in (
        "solarize 0.25\nsolarize 1.0\n",
        "error: --solarize: expected a number from 0 to 1, got '2'",
        "error: --solarize has no effect together with --no-aug",
        "--solarise; did you mean --solarize?",
        "['mixup, solarize 0.1', 'mixup']",
        "; got `solarize`",
    ):
        assert words in said
    assert "--solarize P probability of inverting all values from 128 (default: 0.0)" in " ".join(
        said.split()
    )
    assert files == int(table["files that an option changes, with its use"])


METRIC = """
import math, torch
from timm_multimix.evaluation.calibration import summarize_calibration
from timm_multimix.evaluation.sections import all_numbers, make_tables

record = {"calibration": summarize_calibration(torch.zeros(4, 2), torch.tensor([0, 1, 1, 1]))}
(table,) = make_tables(record)
print(table.header)
for row in table.rows:
    print(row)
(number,) = (n for n in all_numbers(record) if n.is_compared and n.name == "entropy of the predictions")
assert math.isclose(number.value, math.log(2))
"""


@addition("metric", METRIC)
def add_a_metric(copy: Path) -> None:
    change(copy, block("Add a metric", "diff"))


def test_a_metric(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["metric"]
    assert FAILED not in said, said
    header, first, *_ = said.splitlines()
    assert "'entropy'" in header
    assert "'0.6931'" in first
    assert files == int(table["files that a metric changes"])


PART = """
import torch
from timm_multimix import cli
from timm_multimix.evaluation.sections import all_numbers, measure_surest
from timm_multimix.evaluation.outputs import Outputs

logits = torch.tensor([[0.0, 9.0], [1.0, 0.0], [8.0, 0.0], [0.0, 2.0]])
part = measure_surest(None, Outputs(logits, torch.tensor([1, 1, 0, 0]), None))
(number,) = (number for number in all_numbers({"surest": part}) if number.metric.label == "top-1")
print(number.name, number.value)
assert cli.main("evaluate test_resnet --dataset digits --img-size 32 --workers 0".split()) == 0
"""


@addition("part", PART)
def add_a_part_of_the_evaluation(copy: Path) -> None:
    title = "Add a part of the evaluation"
    append(copy, "evaluation/surest.py", block(title, "python"))
    change(copy, block(title, "diff"))


def test_a_part_of_the_evaluation(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["part"]
    assert FAILED not in said, said
    assert said.startswith("top-1 accuracy of the surest half, % 100.0\n")
    assert "The surest half" in said
    assert files == int(table["files that a part of the evaluation changes"])


KIND = """
import torch
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

images = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 4, 4, 3).contiguous()
torch.save({"images": images, "labels": torch.arange(8) % 2}, "data.pt")
splits = load_splits("data.pt", val_split="0.25")
assert (splits.class_names, len(splits.train), len(splits.evaluation)) == (["0", "1"], 6, 2)
for source in (splits.train, splits.evaluation):
    for image, label in (source[k] for k in range(len(source))):
        assert image.getpixel((0, 0))[0] % 2 == label
try:
    load_splits("data.pt", label_column="label")
except UsageError as error:
    print(error)
"""


@addition("kind", KIND)
def add_a_kind_of_data(copy: Path) -> None:
    append(copy, "data/kinds/tensors.py", block("Add a kind of data", "python"))
    change(copy, block("Add a kind of data", "diff"))


def test_a_kind_of_data(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["kind"]
    assert FAILED not in said, said
    assert "`label_column` label: 'data.pt' has no columns" in said
    assert files == int(table["files that a kind of data changes"])


PLACE = """
import timm, torch
from timm_multimix import MixTask, create_mixer

x, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
model = timm.create_model("test_resnet", num_classes=4)
found = MixTask(model, "mixup(place='pool')").train()(x, labels)
weights = found["target"]  # as the labels are 0 to 3
assert (weights.sort(dim=1).values[:, -2] > 0.01).any()
expected = model.forward_head(torch.einsum("ij,jchw->ichw", weights, model.forward_features(x)))
torch.testing.assert_close(found["output"], expected)
for spec in ("cutmix(place='pool')", "mixup >> manifold_mixup(layers=1) >> mixup(place='pool')"):
    model = timm.create_model("test_resnet", num_classes=4)
    MixTask(model, spec).train()(x, labels)["loss"].backward()
try:
    create_mixer("mixup(place='pool') >> manifold_mixup")
except ValueError as error:
    print(error)
"""


@addition("place", PLACE)
def add_a_place_of_mixing(copy: Path) -> None:
    change(copy, block("Add a place of mixing", "diff"))


def test_a_place_of_mixing(added: dict[str, tuple[str, int]], table: dict[str, str]) -> None:
    said, files = added["place"]
    assert FAILED not in said, said
    assert "got mixup at pool >> manifold_mixup at hidden" in said
    assert files == int(table["files that a place of mixing changes"])


def test_the_table_of_measures(table: dict[str, str]) -> None:
    told = {name: now for name, now in table.items() if not name.startswith("files that ")}
    found = measures.count()
    assert told.keys() == found.keys()
    wrong = {name: found[name] for name, now in told.items() if not holds(now, found[name])}
    assert wrong == {}


def holds(told: str, found: float) -> bool:
    limit = told.removeprefix("at most ")
    return found <= float(limit) if limit != told else found == float(told)


def test_the_measures_see_what_they_count(tmp_path: Path) -> None:
    """A package with every fault that is counted."""
    (tmp_path / "functional").mkdir()
    (tmp_path / "mixers").mkdir()
    for part in ("functional", "mixers"):
        (tmp_path / part / "mixup.py").write_text("def mixup(x, alpha=1.0, *, k=2, generator=None): ...")
    (tmp_path / "train.py").write_text(
        'NEEDED = ("opt", "lr")\nNAMES = ("opt", "else")\n'
        "def run(options: Namespace, other: TrainOptions | None): ...\n"
        "def tangled(x):\n    if x:\n" + 5 * "        if x and x: ...\n"
    )
    assert list(measures.count(tmp_path).values()) == [1, 1, 1, 2, 1, 10, 25, 12]

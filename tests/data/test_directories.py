"""Class directories, and files of operating systems and tools in them."""

import os
import shutil
from pathlib import Path

import pytest

from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

from .conftest import picture

FOREIGN = [
    "@eaDir",
    ".ipynb_checkpoints",
    "__MACOSX",
    "$RECYCLE.BIN",
    "lost+found",
    "System Volume Information",
]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("place", ["train", "test", "train/cat", "train/cat/deeper", "."])
def test_hidden_files_of_file_systems_are_ignored(class_directories: Path, name: str, place: str) -> None:
    expected = load_splits(str(class_directories))
    foreign = class_directories / place / name / "inner"
    foreign.mkdir(parents=True)
    for directory in (foreign, foreign.parent):
        picture(50).save(directory / "thumbnail.png")
    splits = load_splits(str(class_directories))
    assert splits.class_names == ["ant", "cat"]
    for ours, theirs in ((splits.train, expected.train), (splits.evaluation, expected.evaluation)):
        assert [ours.describe(i) for i in range(len(ours))] == [
            theirs.describe(i) for i in range(len(theirs))
        ]


@pytest.mark.parametrize("place", ["train", "train/cat", "test", "."])
@pytest.mark.parametrize("name", ["run", "runs/one"])
def test_runs_in_a_data_directory_are_no_classes(class_directories: Path, name: str, place: str) -> None:
    before = load_splits(str(class_directories))
    run = class_directories / place / name
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    (run / "train.log").touch()
    picture(50).save(run / "curves.png")
    after = load_splits(str(class_directories))
    assert (after.class_names, len(after.train)) == (before.class_names, len(before.train))
    assert len(after.evaluation) == len(before.evaluation)


def test_a_class_with_a_config_file_among_its_images_is_a_class(class_directories: Path) -> None:
    before = load_splits(str(class_directories))
    (class_directories / "train/cat/config.yaml").touch()
    after = load_splits(str(class_directories))
    assert (after.class_names, len(after.train)) == (before.class_names, len(before.train))


def test_a_class_may_be_missing_in_evaluation(class_directories: Path) -> None:
    for n, name in enumerate(("bee", "zebra")):
        (class_directories / "train" / name).mkdir()
        picture(20 + n).save(class_directories / "train" / name / "a.png")
    splits = load_splits(str(class_directories))
    assert splits.class_names == ["ant", "bee", "cat", "zebra"]
    assert {splits.evaluation[i][1] for i in range(len(splits.evaluation))} == {0, 2}
    assert all("cat" in splits.evaluation.describe(i) for i in range(4) if splits.evaluation[i][1] == 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_directory_that_cannot_be_read_is_an_error(class_directories: Path) -> None:
    (class_directories / "train/cat").chmod(0)
    try:
        with pytest.raises(UsageError, match=r"directory .*train/cat cannot be read: Permission denied"):
            load_splits(str(class_directories))
    finally:
        (class_directories / "train/cat").chmod(0o755)


def test_a_split_is_not_evaluated_on_in_the_one_that_contains_it(class_directories: Path) -> None:
    """As in VOC and FGVC-Aircraft, trainval is train and val together."""
    (class_directories / "train").rename(class_directories / "trainval")
    shutil.copytree(class_directories / "trainval", class_directories / "val")
    splits = load_splits(str(class_directories))
    assert (splits.train_split, splits.evaluation_split) == ("trainval", "test")
    with pytest.raises(UsageError, match=r"split 'val', in 'trainval', of .* both trained and evaluated on"):
        load_splits(str(class_directories), val_split="val")
    both = load_splits(str(class_directories), val_split="val", eval_on_train=True)
    assert both.evaluation_split == "val"
    shutil.rmtree(class_directories / "test")
    with pytest.raises(UsageError, match="has no eval split; it has"):
        load_splits(str(class_directories))

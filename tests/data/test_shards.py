"""Detection of directories of files and class directories."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError

from .conftest import encoded, picture

Write = Callable[..., Path]


def write_tar(file: Path, numbers: range = range(4)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for n in numbers:
            for ending, data in (("png", encoded(picture(n))), ("cls", b"%d" % (n % 2))):
                entry = tarfile.TarInfo(f"{n:04}.{ending}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))


def rows(count: int) -> dict[str, Any]:
    return {"image": [encoded(picture(n)) for n in range(count)], "label": [n % 2 for n in range(count)]}


def error_of(directory: Path, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load_splits(str(directory), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_archives_by_the_names_of_imagenet(tmp_path: Path) -> None:
    write_tar(tmp_path / "imagenet1k-train-0000.tar", range(5))
    write_tar(tmp_path / "imagenet1k-train-0001.tar", range(5, 8))
    write_tar(tmp_path / "imagenet1k-validation-00.tar", range(2))
    splits = load_splits(str(tmp_path))
    assert (splits.train_split, splits.evaluation_split) == ("train", "validation")
    assert (len(splits.train), len(splits.evaluation)) == (8, 2)


def test_tables_with_numbers_after_underscores(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(3), val=rows(2))
    (directory / "train-00000-of-00001.parquet").rename(directory / "train_000.parquet")
    write_parquet(train=rows(4))
    (directory / "train-00000-of-00001.parquet").rename(directory / "train_001.parquet")
    splits = load_splits(str(directory))
    assert (len(splits.train), len(splits.evaluation)) == (7, 2)


def test_a_doubt_lists_the_files_by_split(tmp_path: Path) -> None:
    for name in ("clean-train-0", "clean-train-1", "noisy-train-0", "test-0"):
        write_tar(tmp_path / f"{name}.tar")
    message = error_of(tmp_path)
    assert "no train split" in message
    assert "clean-train (2 tar files: clean-train-0.tar, clean-train-1.tar)" in message
    assert "noisy-train (1 tar file: noisy-train-0.tar)" in message
    assert "`train_split`" in message
    assert len(load_splits(str(tmp_path), train_split="clean-train").train) == 8


@pytest.mark.parametrize(
    "name", ["val/ILSVRC2012_img_val.tar", "val.tar", "train/ant/left.tar", "val-0.parquet"]
)
def test_class_directories_come_before_stray_files(class_directories: Path, name: str) -> None:
    (class_directories / "test").rename(class_directories / "val")
    (class_directories / name).write_bytes(b"whatever")
    splits = load_splits(str(class_directories))
    assert (len(splits.train), len(splits.evaluation), splits.class_names) == (6, 4, ["ant", "cat"])
    noted = [note for note in splits.notes if name in note]
    assert len(noted) == (0 if "ant" in name else 1)  # deeper files are never taken for shards


def test_class_directories_that_hide_a_split_are_an_error(class_directories: Path) -> None:
    (class_directories / "test").rename(class_directories / "val")
    (class_directories / "train").rename(class_directories / "unused")
    write_tar(class_directories / "train-0.tar")
    message = error_of(class_directories)
    assert "class directories (unused, val), which hide" in message
    assert "training split (1 tar file: train-0.tar)" in message


def test_two_formats_are_an_error_that_lists_both(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(2), test=rows(2))
    write_tar(directory / "train-0.tar")
    assert "2 parquet files" in (message := error_of(directory))
    assert "1 tar file: train-0.tar" in message


def test_files_of_another_format_are_noted(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(2), test=rows(2))
    write_tar(directory / "attic/old.tar")
    splits = load_splits(str(directory))
    assert len(splits.train) == 2
    assert "attic/old.tar" in splits.notes[0]


def test_evaluating_on_the_training_split_needs_both_options(write_parquet: Write) -> None:
    directory = write_parquet(train=rows(4), test=rows(2))
    assert "`eval_on_train` as well" in error_of(directory, val_split="train")
    assert "`eval_on_train` as well" in error_of(directory, train_split="test")
    both = load_splits(str(directory), val_split="train", eval_on_train=True)
    assert (both.train_split, both.evaluation_split, len(both.evaluation)) == ("train", "train", 4)
    assert "evaluation is on split 'test'" in error_of(directory, eval_on_train=True)


def test_links_to_the_training_images_are_the_training_images(
    class_directories: Path, write_parquet: Write
) -> None:
    (class_directories / "val").symlink_to(class_directories / "train")
    assert "'train' and 'val', the same images, of" in error_of(class_directories)
    directory = write_parquet(train=rows(4))
    (directory / "test-00000-of-00001.parquet").symlink_to(directory / "train-00000-of-00001.parquet")
    assert "'train' and 'test', the same images, of" in error_of(directory)


def test_shards_of_different_columns_are_one_line(
    write_parquet: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = write_parquet(train=rows(2), test=rows(2))
    (directory / "train-00000-of-00001.parquet").rename(directory / "train-00000-of-00002.parquet")
    write_parquet(train={"picture": rows(2)["image"], "label": [0, 1]})
    (directory / "train-00000-of-00001.parquet").rename(directory / "train-00001-of-00002.parquet")
    capfd.readouterr()
    for streaming in (False, True):
        message = error_of(directory, streaming=streaming)
        assert "columns differ: train-00000-of-00002.parquet has image, label" in message
        assert "train-00001-of-00002.parquet has label, picture" in message
    assert capfd.readouterr().err == ""


def test_libraries_are_silent_about_broken_files(
    write_parquet: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = write_parquet(train=rows(2), test=rows(2))
    file = directory / "train-00000-of-00001.parquet"
    data = file.read_bytes()
    file.write_bytes(data[:4] + bytes(200) + data[204:])  # the footer is whole, the rows are not
    capfd.readouterr()
    assert "split 'train'" in error_of(directory)
    assert capfd.readouterr().err == ""

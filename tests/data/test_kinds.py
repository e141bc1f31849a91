"""Every kind of data of `--dataset`, from real files: the images and labels are the same."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from benchmarks import data_page
from timm_multimix.data.kinds import KINDS
from timm_multimix.data.measured import load_pictures, load_split
from timm_multimix.data.request import Request
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError
from timm_multimix.options import parse_train_options
from timm_multimix.options.data import DataOptions
from timm_multimix.options.declaration import declared

from .conftest import encoded, picture
from .test_shards import write_tar

TRAIN, TEST = range(6), range(6, 10)
NAMES = ("ant", "cat")


def write_images(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in (*TRAIN, *TEST):
        picture(number).save(directory / f"{number}.png")


def rows(numbers: range, place: str = "") -> list[dict[str, Any]]:
    return [{"file_name": f"{place}{n}.png", "label": NAMES[n % 2]} for n in numbers]


def write_csv(file: Path, table: list[dict[str, Any]], separator: str = ",") -> None:
    lines = [separator.join(table[0]), *(separator.join(map(str, row.values())) for row in table)]
    file.write_text("\n".join(lines) + "\n")


def write_jsonl(file: Path, table: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in table))


def arrays(numbers: range) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([np.asarray(picture(n)) for n in numbers]), np.array([NAMES[n % 2] for n in numbers])


def table_of(numbers: range) -> datasets.Dataset:
    cells = [{"bytes": encoded(picture(n)), "path": None} for n in numbers]
    rows = {"image": cells, "label": [NAMES[n % 2] for n in numbers]}
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    return datasets.Dataset.from_dict(rows, features=kinds)


def by_split(root: Path) -> str:
    for split, numbers in (("Train", TRAIN), ("VALID", TEST)):
        for number in numbers:
            directory = root / split / NAMES[number % 2]
            directory.mkdir(parents=True, exist_ok=True)
            picture(number).save(directory / f"{number}.png")
    return str(root)


def csv_files(root: Path) -> str:
    write_images(root / "images")
    write_csv(root / "train.csv", rows(TRAIN, "images/"))
    write_csv(root / "test.csv", rows(TEST, "images/"))
    return str(root)


def tsv_files(root: Path) -> str:
    write_images(root)
    write_csv(root / "train.tsv", rows(TRAIN), "\t")
    write_csv(root / "dev.tsv", rows(TEST), "\t")
    return str(root)


def jsonl_files(root: Path) -> str:
    write_images(root)
    write_jsonl(root / "train.jsonl", rows(TRAIN))
    write_jsonl(root / "val.jsonl", rows(TEST))
    return str(root)


def metadata_csv(root: Path) -> str:
    for split, numbers in (("train", TRAIN), ("test", TEST)):
        write_images(root / split)
        write_csv(root / split / "metadata.csv", rows(numbers))
        for number in {*TRAIN, *TEST} - {*numbers}:
            (root / split / f"{number}.png").unlink()
    return str(root)


def metadata_jsonl(root: Path) -> str:
    for split, numbers in (("train", TRAIN), ("validation", TEST)):
        write_images(root / split / "images")
        write_jsonl(root / split / "metadata.jsonl", rows(numbers, "images/"))
        for number in {*TRAIN, *TEST} - {*numbers}:
            (root / split / f"images/{number}.png").unlink()
    return str(root)


def metadata_alone(root: Path) -> str:
    write_images(root)
    write_jsonl(root / "metadata.jsonl", rows(TRAIN))
    for number in TEST:
        (root / f"{number}.png").unlink()
    return str(root)


def saved(root: Path) -> str:
    datasets.DatasetDict(train=table_of(TRAIN), test=table_of(TEST)).save_to_disk(root)
    return str(root)


def npz(root: Path) -> str:
    root.mkdir()
    (train_images, train_labels), (test_images, test_labels) = arrays(TRAIN), arrays(TEST)
    np.savez(
        root / "data.npz", x_train=train_images, y_train=train_labels, x_test=test_images, y_test=test_labels
    )
    return str(root / "data.npz")


def parquet(root: Path) -> str:
    root.mkdir()
    table_of(TRAIN).to_parquet(root / "train-00000-of-00001.parquet")
    table_of(TEST).to_parquet(root / "test-00000-of-00001.parquet")
    return str(root)


WITH_SPLITS = (
    *(by_split, csv_files, tsv_files, jsonl_files, metadata_csv, metadata_jsonl, saved, npz, parquet),
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("write", WITH_SPLITS, ids=lambda write: write.__name__)
def test_the_same_images_and_labels(write: Callable[[Path], str], tmp_path: Path) -> None:
    name = write(tmp_path / "data")
    splits = load_splits(name)
    assert splits.class_names == list(NAMES)
    for source, numbers in ((splits.train, TRAIN), (splits.evaluation, TEST)):
        expected = {picture(n).tobytes(): n % 2 for n in numbers}
        found = {
            image.convert("RGB").tobytes(): label for image, label in (source[k] for k in range(len(source)))
        }
        assert found == expected
        assert sorted(source.labels.tolist()) == sorted(expected.values())  # type: ignore[attr-defined]
    assert load_split(name).class_names == list(NAMES)
    assert len(load_pictures(name).source) == len(TEST)


def csv_file(root: Path) -> str:
    csv_files(root)
    return str(root / "train.csv")


def json_file(root: Path) -> str:
    write_images(root)
    (root / "labels.json").write_text(json.dumps(rows(TRAIN)))
    return str(root / "labels.json")


def parquet_of_paths(root: Path) -> str:
    write_images(root)
    datasets.Dataset.from_list(rows(TRAIN)).to_parquet(root / "list.parquet")
    return str(root / "list.parquet")


def saved_alone(root: Path) -> str:
    table_of(TRAIN).save_to_disk(root)
    return str(root)


def npz_alone(root: Path) -> str:
    root.mkdir()
    images, labels = arrays(TRAIN)
    np.savez_compressed(root / "data.npz", images=images, labels=labels[:, None])
    return str(root / "data.npz")


def tar_file(root: Path) -> str:
    write_tar(root / "some.tar", TRAIN)
    return str(root / "some.tar")


@pytest.mark.parametrize(
    "write",
    [csv_file, json_file, parquet_of_paths, metadata_alone, saved_alone, npz_alone, tar_file],
    ids=lambda write: write.__name__,
)
def test_one_table_is_divided(write: Callable[[Path], str], tmp_path: Path) -> None:
    name = write(tmp_path / "data")
    splits = load_splits(name, val_split="0.34")
    assert (len(splits.train), len(splits.evaluation)) == (4, 2)
    assert sorted(splits.evaluation.labels.tolist()) == [0, 1]  # type: ignore[attr-defined]
    found = {
        part[k][0].convert("RGB").tobytes()
        for part in (splits.train, splits.evaluation)
        for k in range(len(part))
    }
    assert found == {picture(n).tobytes() for n in TRAIN}
    with pytest.raises(UsageError, match=r"no validation split; .*`val_split` 0\.1"):
        load_splits(name)


def test_paths_of_a_table_by_column_and_directory(tmp_path: Path) -> None:
    write_images(tmp_path / "elsewhere")
    table = [{"id": n, "photo_of": f"{n}.png", "sort": NAMES[n % 2], "mask": "0.png"} for n in TRAIN]
    write_csv(tmp_path / "list.csv", table)
    name, data_dir = str(tmp_path / "list.csv"), tmp_path / "elsewhere"
    with pytest.raises(UsageError, match=r"which column of .* is the image"):
        load_splits(name, val_split="0.5")
    chosen = {"image_column": "photo_of", "label_column": "sort", "val_split": "0.5"}
    splits = load_splits(name, data_dir=data_dir, **chosen)
    assert splits.class_names == list(NAMES)
    number = int(splits.train.describe(0).split("(")[1].split(".")[0])
    np.testing.assert_array_equal(np.asarray(splits.train[0][0]), np.asarray(picture(number)))
    here = load_splits(name, **chosen)
    with pytest.raises(
        UsageError, match=r"broken image, row \d of split 'all' of .*list\.csv \(\d\.png\): no such file"
    ):
        here.train[0]


def test_missing_values_and_texts_that_pandas_takes_for_them(tmp_path: Path) -> None:
    write_images(tmp_path)
    table = [{"path": f"{n}.png", "label": ("None", "NA")[n % 2]} for n in TRAIN]
    write_csv(tmp_path / "all.csv", table)
    assert load_split(str(tmp_path / "all.csv")).class_names == ["NA", "None"]
    write_csv(tmp_path / "all.csv", [*table, {"path": "1.png", "label": ""}])
    with pytest.raises(UsageError, match="no label in row 6 of split 'all'"):
        load_split(str(tmp_path / "all.csv"))


def test_directories_as_of_competitions(tmp_path: Path) -> None:
    """Images by split without classes, and a table of the labels."""
    for split in ("train", "test"):
        write_images(tmp_path / split)
    write_csv(tmp_path / "train.csv", rows(TRAIN))
    write_csv(tmp_path / "sample_submission.csv", rows(TEST))
    splits = load_splits(str(tmp_path), data_dir=tmp_path / "train", val_split="0.34")
    assert (splits.train_split, len(splits.train)) == ("train", 4)
    splits.train[0]


def test_tables_beside_class_directories(tmp_path: Path) -> None:
    by_split(tmp_path / "both")
    write_csv(tmp_path / "both/train.csv", rows(TRAIN))
    assert load_splits(str(tmp_path / "both")).train_split == "Train"
    flat = tmp_path / "both/Train"
    write_csv(flat / "notes.csv", rows(TRAIN))
    assert load_split(str(flat)).class_names == list(NAMES)
    write_csv(flat / "train.csv", rows(TRAIN))
    with pytest.raises(UsageError, match=r"class directories \(ant, cat\) and tables .* name the table"):
        load_split(str(flat))


def write_mnist(root: Path) -> None:
    """The files of MNIST as torchvision reads them: idx, big-endian, of grey images."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, numbers in (("train", TRAIN), ("t10k", TEST)):
        pixels = np.stack([np.asarray(picture(n, "L", 28)) for n in numbers])
        head = struct.pack(">IIII", 0x803, *pixels.shape)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = bytes(n % 10 for n in numbers)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels)


def test_torchvision_by_timms_name(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    splits = load_splits("torch/mnist", data_dir=tmp_path)
    assert (splits.train_split, splits.evaluation_split) == ("train", "test")
    assert splits.class_names[3] == "3 - three"
    assert splits.train.labels.tolist() == [*TRAIN]  # type: ignore[attr-defined]
    image, label = splits.evaluation[1]
    assert label == 7
    np.testing.assert_array_equal(np.asarray(image), np.asarray(picture(7, "L", 28)))


def test_torchvision_by_a_class_of_its_own(tmp_path: Path) -> None:
    from scipy.io import savemat

    pixels = np.stack([np.asarray(picture(n, size=32)) for n in TRAIN])
    labels = np.array([[(n % 2) or 10] for n in TRAIN], dtype=np.uint8)  # SVHN calls zero 10
    savemat(tmp_path / "train_32x32.mat", {"X": pixels.transpose(1, 2, 3, 0), "y": labels})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torchvision.datasets.svhn.check_integrity", lambda *file: True)
        split = load_split("torch/svhn", data_dir=tmp_path, val_split="train")
    assert [split.source[k][1] for k in range(len(split.source))] == [0, 1, 0, 1, 0, 1]
    np.testing.assert_array_equal(np.asarray(split.source[2][0]), np.asarray(picture(2, size=32)))


def test_archives_by_timms_name(tmp_path: Path) -> None:
    write_tar(tmp_path / "train-0.tar", TRAIN)
    write_tar(tmp_path / "validation-0.tar", TEST)
    splits = load_splits("wds/some", data_dir=tmp_path)
    assert (len(splits.train), len(splits.evaluation)) == (6, 4)
    assert len(load_splits("wds/some", data_dir=tmp_path, streaming=True).train) == 6


def test_the_hub_by_timms_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(path: str, **arguments: str) -> datasets.DatasetDict:
        asked.append((path, arguments))
        return datasets.DatasetDict(train=table_of(TRAIN), test=table_of(TEST))

    monkeypatch.setattr("timm_multimix.data.hub._probe", lambda name: None)
    monkeypatch.setattr("datasets.load_dataset", load)
    assert load_splits("hfds/somebody/pictures:small@v1").hub == ("somebody/pictures", "small", "v1")
    assert asked == [("somebody/pictures", {"name": "small", "revision": "v1"})]


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        ({"dataset": "torch/mnist"}, "needs `data_dir`"),
        ({"dataset": "torch/minst", "data_dir": Path(".")}, "torch/ is followed by one of .*mnist"),
        ({"dataset": "torch/mnist", "data_dir": Path("gone")}, "is not in gone: .*`dataset_download`"),
        ({"dataset": "tfds/mnist"}, "as hfds/mnist"),
        ({"dataset": "wds/some"}, "needs `data_dir`"),
        ({"dataset": "wds/some", "data_dir": Path(".")}, "no directory of tar files"),
        ({"dataset": "digits", "data_dir": Path("x")}, "`data_dir` x: 'digits' needs none"),
        (
            {"dataset": "digits", "dataset_download": True},
            "`dataset_download`: 'digits' cannot be downloaded",
        ),
        ({"dataset": "some.txt"}, r"file of an unknown kind; expected \.csv"),
        ({"dataset": "bad.csv"}, "cannot be read"),
        ({"dataset": "bad.npz"}, "cannot be read"),
        ({"dataset": "other.npz"}, r"must hold the arrays .* got stuff \[2\]"),
        ({"dataset": "float.npz"}, r"must be uint8 .* got float64 \[2, 4, 4\]"),
        ({"dataset": "uneven.npz"}, "has 2 images and 3 labels"),
        ({"dataset": "half"}, "cannot be read"),
    ],
)
def test_wrong_data_is_an_error_of_one_line(
    request_of: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("some.txt", "bad.npz"):
        Path(name).write_text("nonsense")
    Path("bad.csv").write_bytes(b'"\xff\x00')
    Path("half").mkdir()
    Path("half/state.json").write_text("{")
    images = np.zeros((2, 4, 4), dtype=np.uint8)
    np.savez("other.npz", stuff=np.zeros(2))
    np.savez("float.npz", images=images / 255, labels=np.zeros(2, dtype=int))
    np.savez("uneven.npz", images=images, labels=np.zeros(3, dtype=int))
    with pytest.raises(UsageError, match=message) as caught:
        load_split(**request_of)
    assert "\n" not in str(caught.value)


def test_every_option_of_a_kind_is_a_field_of_requests() -> None:
    names = {name for name, option in declared(DataOptions).items() if option.facts.trait}
    assert names <= Request.__dataclass_fields__.keys()
    assert names == {name for kind in KINDS for name in kind.options}


def test_the_help_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_train_options(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    for word in ("digits", "torch/NAME", "hfds/ID", "wds/NAME", ".npz", "save_to_disk", "metadata", ".csv"):
        assert word in told


def test_the_page_of_the_kinds_is_up_to_date() -> None:
    assert data_page.PAGE.read_text(encoding="utf-8") == data_page.make_page(), "run `make docs`"

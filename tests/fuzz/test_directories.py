"""Any directory as --dataset is opened or refused, and nothing is written in it."""

import os
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from timm_multimix.data.images import to_channels
from timm_multimix.data.splits import load_splits

from .effort import names, tries, value_or_refusal
from .test_images import encode

PNG = encode("PNG", "RGB", (4, 4))

NAMES = st.sampled_from(
    [
        "train",
        "val",
        "test",
        "data",
        "cat",
        "dog",
        ".hidden",
        "a b",
        "ünï",
        "-x",
        "x.png",
        "*",
        "[a]",
        "\\",
        "\n",
    ]
) | st.binary(min_size=1, max_size=8).filter(lambda name: not set(name) & {0, 47}).map(os.fsdecode)
FILES = st.sampled_from(
    [
        "a.png",
        "B.PNG",
        "c.jpg",
        ".png",
        "d",
        "train.parquet",
        "val-0.tar",
        "train-00000-of-00001.parquet",
        "e\n.png",
    ]
)
LINKS = st.sampled_from([".", "..", "/", "loop", "/dev/zero", "/nowhere", "../..", "/proc/self/root"])


def deep(directory: Path, name: str) -> None:
    """Directories of one name in each other, deeper than a path may be long."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(300):
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@st.composite
def directories(draw: st.DrawFn) -> list[tuple[str, ...]]:
    """What to make: (kind, directory, name, target or content)."""
    splits = st.tuples(
        st.sampled_from(["train", "val", "test"]) | NAMES, st.sampled_from(["cat", "dog"]) | NAMES
    )
    place = splits.map("/".join) | NAMES | st.just(".")
    contents = st.sampled_from(["png", "png", "empty", "text", "half"])
    steps = st.one_of(
        st.tuples(st.just("file"), place, FILES, contents),
        st.tuples(st.just("link"), place, NAMES | FILES, LINKS),
        st.tuples(st.sampled_from(["folder", "fifo"]), place, NAMES | FILES, st.just("")),
        st.tuples(st.just("deep"), place, st.just("d" * 60), st.just("")),
    )
    usual = [
        ("file", f"{split}/{name}", "a.png", "png") for split in ("train", "val") for name in ("cat", "dog")
    ]
    return (usual if draw(st.booleans()) else []) + draw(st.lists(steps, max_size=6))


def make(root: Path, kind: str, place: str, name: str, what: str) -> None:
    directory = root / place
    # a name that is too long or taken already makes nothing
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            content = {"png": PNG, "empty": b"", "text": b"no image", "half": PNG[: len(PNG) // 2]}[what]
            with (directory / name).open("xb") as stream:  # of a new file: a pipe would wait for its reader
                stream.write(content)
        elif kind == "link" and what in ("/", "/proc/self/root"):
            (directory / name).symlink_to(root.parent)  # the whole disk would take hours
        elif kind == "link":
            (directory / name).symlink_to(what)
        elif kind == "fifo":
            os.mkfifo(directory / name)
        elif kind == "deep":
            deep(directory, name)
        else:
            (directory / name).mkdir()


def read(root: Path) -> int:
    """Open the dataset and read some of its images; gives how many there are."""
    splits = load_splits(str(root))
    for source in (splits.train, splits.evaluation):
        for index in range(min(4, len(source))):
            image = value_or_refusal(lambda source=source, index=index: source[index])  # type: ignore[misc]
            if image is not None:
                assert 0 <= image[1] < len(splits.class_names)
                value_or_refusal(lambda image=image: to_channels(image[0], 3, str))  # type: ignore[misc]
    return len(splits.train)


def test_links_in_circles_are_followed_once(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split / "cat").mkdir(parents=True)
        (tmp_path / split / "cat" / "a.png").write_bytes(PNG)
        for name in ("one", "two", "up"):
            (tmp_path / split / "cat" / name).symlink_to(".." if name == "up" else ".")
    (tmp_path / "train" / "dog").symlink_to("cat")  # another class, with the same images
    (tmp_path / "val" / "dog").symlink_to("cat")
    splits = value_or_refusal(lambda: load_splits(str(tmp_path)))
    assert splits is not None
    assert [splits.train[i][1] for i in range(len(splits.train))].count(0) == 1
    assert splits.class_names == ["cat", "dog"]


@tries("dataset directories")
@given(directories())
def test_any_directory(steps: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(place) / "data"
        root.mkdir()
        for step in steps:
            make(root, *step)
        before = names(Path(place))
        value_or_refusal(lambda: read(root))
        assert names(Path(place)) == before

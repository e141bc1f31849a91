"""Columns of tables by name, then by type: which are chosen, which are not, and which are ambiguous."""

from typing import Any

import datasets
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timm_multimix.data.columns import find_image_column, find_label_column
from timm_multimix.errors import UsageError

from .conftest import encoded, picture

PNG = encoded(picture(0))
IMAGE = {"bytes": PNG, "path": None}


def table(columns: dict[str, Any], **features: Any) -> datasets.Dataset:
    """Two rows; `features` type some of the columns."""
    made = datasets.Dataset(pa.table(columns))
    for name, kind in features.items():
        made = made.cast_column(name, kind)
    return made


def classes(*names: str) -> datasets.ClassLabel:
    return datasets.ClassLabel(names=list(names))


LABELS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an id of numbers beside a text": ({"id": [7, 8], "label": ["a", "b"]}, {}, "label"),
    "a boolean beside a text": ({"verified": [True, False], "label": ["a", "b"]}, {}, "label"),
    "a fold beside a text": ({"fold": [0, 1], "class": ["a", "b"]}, {}, "class"),
    "fewer classes but the name": (
        {"species": [2, 0], "label": [1, 0]},
        {"species": classes("a", "b", "c"), "label": classes("x", "y")},
        "label",
    ),
    "an untyped label beside class labels": (
        {"species": [1, 0], "label": [1, 0]},
        {"species": classes("a", "b")},
        "label",
    ),
    "label before target": ({"target": [0, 1], "label": [1, 0]}, {}, "label"),
    "fine before coarse": ({"coarse_label": [0, 0], "fine_label": [1, 0]}, {}, "fine_label"),
    "capitals": ({"ID": [1, 2], "Label": [1, 0]}, {}, "Label"),
    "the exact spelling of two": ({"LABEL": [1, 2], "label": [1, 0]}, {}, "label"),
    "the only class labels": ({"n": [1, 2], "species": [1, 0]}, {"species": classes("a", "b")}, "species"),
    "class labels beside a typed fold": (
        {"fold": [1, 0], "species": [1, 0]},
        {"fold": classes("0", "1"), "species": classes("a", "b")},
        "species",
    ),
    "a name that ends in the word": ({"row": [5, 6], "disease_label": ["x", "y"]}, {}, "disease_label"),
    "the number of the class": ({"id": [5, 6], "category_id": [1, 0]}, {}, "category_id"),
    "camel case": ({"imageId": [5, 6], "diseaseClass": [1, 0]}, {}, "diseaseClass"),
    "a text beside a boolean of the best name": ({"label": [True, False], "class": ["x", "y"]}, {}, "class"),
    "a boolean alone by its name": ({"label": [True, False], "id": [4, 5]}, {}, "label"),
}


@pytest.mark.parametrize(("columns", "features", "expected"), LABELS.values(), ids=LABELS)
def test_the_label_column(columns: dict[str, Any], features: dict[str, Any], expected: str) -> None:
    rows = table({"image": [PNG, PNG]} | columns, **features)
    assert find_label_column(rows, None, "t") == expected
    backwards = rows.select_columns(rows.column_names[::-1])
    assert find_label_column(backwards, None, "t") == expected


DOUBTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a lone number": ({"age": [1, 2]}, {}),
    "a lone id": ({"image_id": [1, 2]}, {}),
    "a lone boolean": ({"verified": [True, False]}, {}),
    "a lone text": ({"caption": ["a", "b"]}, {}),
    "a lone fold, typed": ({"fold": [0, 1]}, {"fold": classes("0", "1")}),
    "two class labels": (
        {"genus": [0, 1], "species": [0, 1]},
        {"genus": classes("a", "b"), "species": classes("a", "b")},
    ),
    "two names that end in the word": ({"upper_class": [0, 1], "lower_class": [0, 1]}, {}),
    "spelt alike": ({"LABEL": [0, 1], "Label": [1, 0]}, {}),
    "a label's neighbours": ({"label_fold": [0, 1], "label_count": [0, 1], "num_labels": [0, 1]}, {}),
    "two booleans": ({"cat": [True, False], "dog": [False, True]}, {}),
}


@pytest.mark.parametrize(("columns", "features"), DOUBTS.values(), ids=DOUBTS)
def test_a_doubt_lists_the_columns(columns: dict[str, Any], features: dict[str, Any]) -> None:
    rows = table({"image": [PNG, PNG]} | columns, **features)
    with pytest.raises(UsageError) as caught:
        find_label_column(rows, None, "split 'train' of here")
    message = str(caught.value)
    assert "`label_column`" in message
    assert all(f"{name} (" in message for name in ("image", *columns))


DECOY_NAMES = [
    "id",
    "image_id",
    "fold",
    "split",
    "width",
    "height",
    "verified",
    "age",
    "caption",
    "score",
    "y",
    "x",
    "is_label_checked",
    "label_source",
    "class_count",
    "file_name",
    "Timestamp",
    "species",
]
DECOYS = st.dictionaries(
    st.sampled_from(DECOY_NAMES) | st.text("abcdefghij_", min_size=1, max_size=8),
    st.sampled_from(
        [[0, 1], [7, 700_000], [True, False], [0.5, 1.0], ["a", "b"], ["", "b"], [[1], [2]], [None, 3]]
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(DECOYS, st.sampled_from([[1, 0], ["cat", "dog"], [None, "x"]]), st.randoms())
def test_a_column_called_label_wins_over_any_others(decoys: dict[str, Any], values: Any, random: Any) -> None:
    columns = list(({"image": [PNG, PNG]} | decoys | {"label": values}).items())
    random.shuffle(columns)
    assert find_label_column(table(dict(columns)), None, "t") == "label"


@settings(max_examples=60, deadline=None)
@given(DECOYS)
def test_an_untyped_column_without_a_usual_name_is_not_the_label(decoys: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="`label_column`"):
        find_label_column(table({"image": [PNG, PNG]} | decoys), None, "t")


BAD = {"bytes": b"no image", "path": None}
IMAGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the name before the type": (
        {"image": [PNG, PNG], "thumb": [IMAGE, IMAGE]},
        {"thumb": datasets.Image()},
        "image",
    ),
    "the first cells are bad": ({"pic": [b"no", b"", PNG], "data": [b"a", b"b", b"c"]}, {}, "pic"),
    "the first cells are empty": ({"pic": [None, None, IMAGE]}, {}, "pic"),
    "only half an image": ({"pic": [PNG[:60], PNG[:60]]}, {}, "pic"),
    "all bad, by the name": ({"image": [BAD, BAD], "data": [b"a", b"b"]}, {}, "image"),
    "the only one that holds images": ({"left": [PNG, PNG], "mask": [b"1", b"2"]}, {}, "left"),
    "of two with images the usual name": ({"mask": [PNG, PNG], "img": [PNG, PNG]}, {}, "img"),
    "large binary": ({"pic": pa.array([b"", PNG], pa.large_binary())}, {}, "pic"),
}


@pytest.mark.parametrize(("columns", "features", "expected"), IMAGES.values(), ids=IMAGES)
def test_the_image_column(columns: dict[str, Any], features: dict[str, Any], expected: str) -> None:
    assert find_image_column(table(columns, **features), None, "t") == expected


@pytest.mark.parametrize("bad", [1, 40, 900])
def test_a_column_whose_beginning_is_bad_is_found(bad: int) -> None:
    assert find_image_column(table({"pic": [b"no image"] * bad + [PNG] * 100}), None, "t") == "pic"


def test_images_given_by_path_are_found(tmp_path: Any) -> None:
    picture(1).save(tmp_path / "a.png")
    cell = {"bytes": pa.array([None, None], pa.binary()), "path": [str(tmp_path / "a.png"), "gone.png"]}
    cells = pa.StructArray.from_arrays([cell["bytes"], pa.array(cell["path"])], names=["bytes", "path"])
    assert find_image_column(table({"pic": cells}), None, "t") == "pic"


@pytest.mark.parametrize(
    "columns",
    [
        {"left": [PNG, PNG], "right": [PNG, PNG]},
        {"image": [b"a", b"b"], "other": [PNG, PNG]},
        {"blob": [b"a", b"b"]},
        {"image": ["a.txt", "b.txt"]},
        {"left": ["a.png", "b.png"], "right": ["a.png", "b.png"]},
    ],
    ids=["two", "the named one holds none", "no images", "texts", "two of paths"],
)
def test_a_doubt_about_images_lists_the_columns(columns: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        find_image_column(table(columns), None, "t")
    assert "`image_column`" in str(caught.value)
    assert all(f"{name} (" in str(caught.value) for name in columns)

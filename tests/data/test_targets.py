"""Multi-label and regression targets of tables and arrays, and the task that follows from them."""

from typing import Any

import datasets
import numpy as np
import pytest

from timm_multimix.data.columns import find_label_column
from timm_multimix.data.targets import read_array, read_targets, task_of
from timm_multimix.errors import UsageError


def read(columns: dict[str, Any], wanted: str = "label", task: str = "auto", **about: Any) -> Any:
    table = datasets.Dataset.from_dict(columns, features=about.get("features"))
    return read_targets(table, wanted, task, about.get("known"), "t")


@pytest.mark.parametrize(
    ("labels", "known", "expected", "names"),
    [
        ([["cat", "dog"], [], ["ant"]], None, [[0, 1, 1], [0, 0, 0], [1, 0, 0]], ["ant", "cat", "dog"]),
        ([[2, 0], [1]], None, [[1, 0, 1], [0, 1, 0]], ["0", "1", "2"]),
        ([["b"], ["a"]], ["b", "x", "a"], [[1, 0, 0], [0, 0, 1]], ["b", "x", "a"]),
        ([[0, 1, 1, 0], [0, 0, 0, 1]], None, [[0, 1, 1, 0], [0, 0, 0, 1]], ["0", "1", "2", "3"]),
        ([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], None, [[0, 1, 1], [1, 0, 0]], ["0", "1", "2"]),
        ([[1, 0], [1]], None, [[1, 1], [0, 1]], ["0", "1"]),
    ],
    ids=["names", "numbers", "known names", "zeros and ones", "floats", "two numbers are classes"],
)
def test_lists_of_labels(labels: Any, known: Any, expected: Any, names: list[str]) -> None:
    targets, found = read({"label": labels}, known=known)
    assert found == names
    np.testing.assert_array_equal(targets, expected)
    assert task_of(targets) == "multi-label"


def test_lists_of_declared_classes() -> None:
    kinds = datasets.Features({"label": datasets.Sequence(datasets.ClassLabel(names=["x", "y", "z"]))})
    targets, names = read({"label": [[2], [0, 1]]}, features=kinds)
    assert names == ["x", "y", "z"]
    np.testing.assert_array_equal(targets, [[0, 0, 1], [1, 1, 0]])


@pytest.mark.parametrize("wanted", ["a,b,c", "a, b ,c"])
def test_several_columns(wanted: str) -> None:
    columns = {"a": [1, 0], "b": [True, False], "c": [0.0, 1.0], "image": ["x.png", "y.png"]}
    assert find_label_column(datasets.Dataset.from_dict(columns), wanted, "t") == wanted
    targets, names = read(columns, wanted)
    assert names == ["a", "b", "c"]
    np.testing.assert_array_equal(targets, [[1, 1, 0], [0, 0, 1]])


def test_numbers_with_fractions_are_regression_targets() -> None:
    targets, names = read({"age": [0.5, 2.0, -3.25]}, "age")
    assert (names, targets.tolist(), task_of(targets)) == (["age"], [0.5, 2.0, -3.25], "regression")
    assert read({"age": [4.0, 5.0]}, "age", "regression")[0].tolist() == [4.0, 5.0]
    assert read({"age": [4, 5]}, "age", "regression")[0].tolist() == [4.0, 5.0]
    whole, names = read({"age": [1.0, 2.0]}, "age")
    assert (names, whole.tolist(), task_of(whole)) == (["1", "2"], [0, 1], "classification")


@pytest.mark.parametrize(
    ("columns", "wanted", "task", "message"),
    [
        (
            {"label": [["a"], None]},
            "label",
            "auto",
            "no labels in row 1 of t; an image of no class has an empty list",
        ),
        ({"label": [[], []]}, "label", "auto", "t has no label in any row"),
        ({"label": [[-1], [0]]}, "label", "auto", "class numbers from 0 on"),
        (
            {"label": [["a"]]},
            "label",
            "classification",
            "a column of lists .* of t is multi-label",
        ),
        ({"label": [1, 0]}, "label", "multi-label", "`task` multi-label needs a column of lists"),
        ({"a": [1, 0], "b": [2, 0]}, "a,b", "auto", "must hold 0 or 1, got 2 in row 0 of b of t"),
        ({"a": [1, 0], "b": [1, None]}, "a,b", "auto", "must hold 0 or 1, got nan in row 1 of b"),
        ({"a": [1, 0], "b": [1, 0]}, "a,b", "regression", r"several columns \(a, b\) of t is multi-label"),
        ({"label": [0.5, float("nan")]}, "label", "auto", "must be finite numbers, got nan in row 1 of t"),
        ({"label": ["x", "y"]}, "label", "regression", "must be numbers, got 'x'"),
        ({"label": [0.5, 1.0]}, "label", "classification", r"label 0\.5 of row 0 of t is no class number"),
    ],
)
def test_labels_that_do_not_go_with_the_task(columns: Any, wanted: str, task: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(columns, wanted, task)
    assert "\n" not in str(caught.value)


def test_labels_unknown_to_training() -> None:
    with pytest.raises(UsageError, match="label 'owl' of row 0 of t is none of cat, dog"):
        read({"label": [["owl"]]}, known=["cat", "dog"])


def test_arrays() -> None:
    rows, names = read_array(np.array([[0, 1, 1], [1, 0, 0]]), "auto", None, "t")
    assert (rows.tolist(), names) == ([[0, 1, 1], [1, 0, 0]], ["0", "1", "2"])
    assert read_array(np.array([[0.5], [2.0]]), "auto", None, "t")[0].tolist() == [0.5, 2.0]
    assert read_array(np.array([1.0, 2.0]), "auto", None, "t")[1] == ["1", "2"]
    assert read_array(np.array([1, 2]), "regression", None, "t")[0].tolist() == [1.0, 2.0]
    with pytest.raises(UsageError, match="must hold 0 or 1, got 7 in row 1 of column 0"):
        read_array(np.array([[0, 1], [7, 0]]), "auto", None, "t")
    with pytest.raises(UsageError, match=r"needs labels \[n, c\] in t, got \[2\]"):
        read_array(np.array([0, 1]), "multi-label", None, "t")

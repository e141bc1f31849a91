"""Tuples in the plane: their weights, positions, labels, and the figure."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from tests.previews.test_draws import B, make_examples, panel_of
from timm_multimix.previews.examples import Examples
from timm_multimix.previews.figure import draw_panels
from timm_multimix.previews.tuple_figure import class_colours, draw_plane
from timm_multimix.previews.tuples import Tuples, project, spread


def tuples_of(spec: str, examples: Examples, count: int = 3) -> Tuples:
    tuples = panel_of(spec, examples, count).tuples
    assert tuples is not None
    return tuples


@pytest.fixture(scope="module")
def seen() -> Examples:
    return make_examples("test_vit", 160)


def test_effective_numbers_of_dirichlet_weights_are_as_theory_has_them() -> None:
    """E sum w^2 = (alpha + 1) / (b alpha + 1)."""
    tuples = tuples_of("multimix(n=4000, alpha=1.0, p=1)", make_examples())
    assert tuples.weights.shape == (4000, B)
    squares = tuples.weights.square().sum(1)
    error = squares.std().item() / 4000**0.5
    assert squares.mean().item() == pytest.approx(2 / (B + 1), abs=5 * error)
    assert torch.allclose(tuples.effective, 1 / squares)
    assert (tuples.effective.diff() >= -1e-4).all()


def test_dense_tuples_are_those_of_the_middle_position(seen) -> None:
    tuples = tuples_of("dense_multimix(n=50, p=1)", seen)
    start, position, of, positions = tuples.title.removeprefix("step ").replace(", position", "").split()
    assert (start, of, int(position)) == ("1", "of", int(positions) // 2 + 1)
    assert tuples.weights.shape == (50, B)


def test_the_plane_is_that_of_the_principal_components_and_mixes_are_mixed_in_it() -> None:
    examples = make_examples()
    tuples = tuples_of("multimix(n=40, p=1)", examples)
    pixels = examples.pixels.flatten(1)
    pca = PCA(2, svd_solver="full").fit(pixels.double().numpy())
    for found, features in ((tuples.examples, pixels), (tuples.points, tuples.weights @ pixels)):
        places = torch.tensor(pca.transform(features.double().numpy()), dtype=torch.float32)
        assert torch.allclose(found.abs(), places.abs(), atol=1e-3)  # components have no sign
    assert tuples.plane == "pixels"


def test_the_plane_of_a_model_is_that_of_its_embedding(seen) -> None:
    tuples = tuples_of("multimix(n=5, p=1)", seen)
    with torch.no_grad():
        embedding = seen.model.embed(seen.pixels)[1]
    assert torch.equal(tuples.examples, project(embedding))
    assert tuples.plane == "embedding"


def test_two_examples_lie_on_a_line() -> None:
    places = project(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    assert places[:, 0].abs().tolist() == pytest.approx([2.5, 2.5])
    assert places[:, 1].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert project(torch.tensor([[1.0], [3.0]])).shape == (2, 2)


@pytest.mark.parametrize(
    ("n", "count", "shown"),
    [(1000, 3, [0, 500, 999]), (20, 2, [0, 19]), (9, 1, [4]), (2, 3, [0, 1]), (1, 3, [0])],
)
def test_the_tuples_shown_are_spread_evenly(n, count, shown) -> None:
    assert spread(n, count) == shown


def test_mixes_have_the_mixed_colours_of_their_classes() -> None:
    examples = make_examples()
    tuples, colours = tuples_of("multimix(n=7, p=1)", examples), class_colours(examples)
    panel = Figure().subplots()
    draw_plane(panel, tuples, examples, colours)
    mixes, own = panel.collections
    expected = [
        sum(
            float(weight) * np.array(to_rgb(colours[int(label)]))
            for weight, label in zip(row, examples.labels, strict=True)
        )
        for row in tuples.weights
    ]
    np.testing.assert_allclose(mixes.get_facecolors()[:, :3], expected, atol=1e-5)
    np.testing.assert_allclose(mixes.get_offsets(), tuples.points, atol=1e-6)
    np.testing.assert_allclose(own.get_offsets(), tuples.examples, atol=1e-6)
    assert [text.get_text() for text in panel.texts] == ["1", "2", "3"]
    assert ": 7 tuples, effectively " in panel.get_title(loc="left")


@pytest.mark.parametrize("classes", [4, 40])
def test_the_figure_has_a_label_for_each_tuple_shown_and_a_key_of_classes(classes) -> None:
    pixels = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    names = [f"class {number}" for number in range(classes)]
    examples = Examples(pixels, torch.arange(40) % classes, names)
    figure = draw_panels([panel_of("multimix(n=9, p=1)", examples, 2)], examples)
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert [title.split(":")[0] for title in titles if title] == ["step 1", "label of 1", "label of 2"]
    texts = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert [text for text in texts if text.startswith("class ")] == names[:16]
    assert ("and 24 more" in texts) == (classes == 40)

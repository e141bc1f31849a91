"""Objects in a notebook: short texts, tables, figures, signatures."""

import inspect
from html.parser import HTMLParser

import pytest
import timm
import torch
from matplotlib.figure import Figure

import timm_multimix
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.notebook import facts_html, figure_html, table_html


class Cells(HTMLParser):
    """The cells of a table, and the tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag != "img":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def cells(text: str) -> list[str]:
    found = Cells(text)
    assert found.open == []
    return found.cells


def make_task(**arguments) -> MixTask:
    return MixTask(timm.create_model("test_resnet", num_classes=3), **arguments)


def test_a_task_names_what_it_does_and_no_layers():
    task = make_task(mix="multimix(n=20)", smoothing=0.1, schedule="0.1-0.8:0.008/0.002,.9-1", total_steps=9)
    assert repr(task) == (
        "MixTask(<ResNet of 0.373 M parameters>, mix='multimix(n=20)', criterion='softmax', smoothing=0.1, "
        "schedule='0.1-0.8:0.008/0.002,0.9-1')"
    )
    assert cells(task._repr_html_())[2:6] == ["mix", "multimix(n=20)", "criterion", "softmax"]


def test_a_task_names_its_teacher_only_where_it_asks_one():
    assert "teacher" not in repr(make_task(mix="none"))
    assert repr(make_task(mix="none", distill=0.5, teacher="self")).endswith("distill=0.5, teacher='self')")


def test_a_mixture_shows_what_it_was_made_with_and_what_it_chooses_from():
    mixture = create_mixer("0.25*none | 0.75*cutmix(alpha=0.3)", num_classes=7, smoothing=0.1)
    assert repr(mixture) == "Mixture('0.25*none | 0.75*cutmix(alpha=0.3)', num_classes=7, smoothing=0.1)"
    shown = cells(mixture._repr_html_())
    assert shown[3:6] == ["25%", "none", "at input"]
    assert shown[6:8] == ["75%", "cutmix"]
    assert "alpha=0.3" in shown[8]


def test_mixers_are_shown_by_name_place_and_arguments():
    ((_, step),) = create_mixer("manifold_mixup(alpha=2, layers=(0, 1))").branches
    assert repr(step) == "Step('manifold_mixup')"
    assert repr(step.mixer).startswith("Mixer('manifold_mixup', place='hidden', layers=(0, 1), alpha=2.0")
    assert " at 0x" not in repr(create_mixer("puzzlemix | multimix | per_sample(fmix | mixup)").branches)


@pytest.mark.parametrize("name", sorted({*timm_multimix.list_mixers()} & {*F.__all__} - {"dense_multimix"}))
def test_signatures_say_what_is_returned_and_show_plain_types(name):
    function = getattr(F, name)
    signature = inspect.signature(function)
    assert signature.return_annotation == tuple[torch.Tensor, F.Draw]
    assert "Annotated" not in str(signature)
    assert "Returns:\n    A tuple (mixed, draw)" in inspect.getdoc(function)


def test_completion_offers_the_public_names_only():
    assert dir(timm_multimix) == sorted([*timm_multimix.__all__, "__version__"])
    assert dir(F) == sorted(F.__all__)
    assert not {name for name in dir(F) if inspect.ismodule(getattr(F, name))}
    assert all(hasattr(timm_multimix, name) for name in dir(timm_multimix))


def test_html_escapes_its_text():
    assert cells(facts_html("<b>", {"a<": "&", "left out": None})) == ["a<", "&"]
    assert cells(table_html("t", ["h"], [["<i>"]])) == ["h", "<i>"]


def test_figures_are_images_inside_the_page():
    figure = Figure()
    figure.subplots().plot([0, 1])
    page = figure_html(figure, 'a "figure"')
    assert cells(page) == []
    assert 'alt="a &quot;figure&quot;"' in page
    assert 'src="data:image/png;base64,iVBOR' in page

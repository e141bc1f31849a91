"""Mixers for vision transformers, guided by their last attention or by their head."""

from functools import partial
from typing import Any

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from ..functional.checks import Share
from ..functional.mixing import check_boxes
from .arguments import as_usage_error
from .drawing import draw_with
from .entries import extending
from .mixer import Mixer, Shown
from .registry import register_mixer
from .sources import Agreement, Paper


@register_mixer(
    paper=Paper(
        "TransMix: Attend to Mix for Vision Transformers",
        authors=(
            "Chen, Jie-Neng",
            "Sun, Shuyang",
            "He, Ju",
            "Torr, Philip",
            "Yuille, Alan",
            "Bai, Song",
        ),
        year=2022,
        arxiv="2111.09833",
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition",
    ),
    agreement=Agreement(
        reference="arXiv:2111.09833, equation 4; the authors' code for `area`",
        tested="attention on what was kept, token by token; the last block's class token; the pass "
        "on mixed images",
        tests=(
            "functional/test_transmix.py::test_attended_is_the_attention_on_what_was_kept",
            "sites/test_attention.py::test_it_is_the_class_tokens_row_of_the_last_block",
            "sites/test_attention.py::test_transmix_labels_by_the_attention_on_the_mixed_images",
            "mixers/test_guided.py::test_by_default_transmix_averages_with_the_area_as_its_authors_code_does",
        ),
        departures="area = 0.5 as in the authors' code; area = 0 is the equation. Models whose head "
        "reads no class token are labeled by the attention of all positions.",
    ),
)
@extending(F.cutmix, without=("correct",))
def transmix(arguments: dict[str, Any], area: Share = 0.5) -> Mixer:
    """TransMix: CutMix with labels by the class token's attention on the mix.

    lambda is the share of the class token's attention, in the last layer, averaged over heads and without
    gradient, that falls on what was kept of the image; if the head reads no class token, of the attention
    that all positions pay. It is taken from the training pass itself: no pass is added, fused attention
    stays, but this pass runs uncompiled. For vision transformers whose last attention is over all tokens.

    Args:
        area: the share that the label by area keeps; 0 is the paper's equation 4, 0.5 what the authors'
            code does, with which the paper's numbers were made.
    """
    with as_usage_error():
        check_boxes(**(arguments | {"correct": True}))
    sample = partial(draw_with, F.cutmix, arguments)
    return Mixer("transmix", sample, complete=partial(_attended, area), arguments=arguments)


register_mixer(
    guide="activation",
    paper=Paper(
        "TokenMix: Rethinking Image Mixing for Data Augmentation in Vision Transformers",
        authors=("Liu, Jihao", "Liu, Boxiao", "Zhou, Hang", "Li, Hongsheng", "Liu, Yu"),
        year=2022,
        arxiv="2207.08409",
        booktitle="European Conference on Computer Vision",
    ),
    agreement=Agreement(
        reference="arXiv:2207.08409, section 3; the authors' code for the blocks",
        tested="scores token by token; number, parts and borders of the blocks against a loop as in "
        "the authors' code",
        tests=(
            "functional/test_transmix.py::test_tokenmix_scores_by_the_activation_in_the_mix",
            "functional/test_transmix.py::test_by_default_tokenmix_replaces_what_the_authors_code_does",
            "sites/test_guides.py::test_class_activation_is_the_probability_of_the_own_class_at_every_position",
        ),
        departures="The activation is the model's own probability of the class at every position; the "
        "paper's is that of a pretrained teacher.",
    ),
)(F.tokenmix)


register_mixer(
    guide="received",
    paper=Paper(
        "SMMix: Self-Motivated Image Mixing for Vision Transformers",
        authors=(
            "Chen, Mengzhao",
            "Lin, Mingbao",
            "Lin, Zhihang",
            "Zhang, Yuxin",
            "Chao, Fei",
            "Ji, Rongrong",
        ),
        year=2023,
        arxiv="2212.12977",
        booktitle="IEEE/CVF International Conference on Computer Vision",
    ),
    agreement=Agreement(
        reference="arXiv:2212.12977 and the authors' code: the mixing of images",
        tested="squares by a search over all places; the mix square by square; the attention of a "
        "block by hand",
        tests=(
            "functional/test_smmix.py::test_squares_with_the_least_and_the_most_attention",
            "functional/test_smmix.py::test_the_partners_most_attended_square_covers_the_least_attended_one",
            "sites/test_attention.py::test_received_attention_is_the_mean_of_the_positions_rows",
        ),
        departures="Without the two losses that the method adds: fine-grained labels, which need a second "
        "head in the model, and consistency with the clean images' predictions, see `distill`.",
    ),
)(F.smmix)


@register_mixer(
    paper=Paper(
        "MixPro: Data Augmentation with MaskMix and Progressive Attention Labeling for Vision Transformer",
        authors=("Zhao, Qihao", "Huang, Yangyu", "Hu, Wei", "Zhang, Fan", "Liu, Jun"),
        year=2023,
        arxiv="2304.12043",
        booktitle="International Conference on Learning Representations",
    ),
    agreement=Agreement(
        reference="arXiv:2304.12043 and OpenMixup's code",
        tested="cells of the grid one by one; labels by loops over positions",
        tests=(
            "functional/test_mixpro.py::test_maskmix_keeps_whole_cells_of_a_grid",
            "functional/test_mixpro.py::test_labels_trust_attention_as_far_as_the_prediction_agrees",
        ),
        departures="The share by area is that of the pixels; OpenMixup counts cells, of which the last are "
        "cut. Labels that the prediction is compared with are not smoothed.",
    ),
)
@extending(F.maskmix)
def mixpro(arguments: dict[str, Any]) -> Mixer:
    """MixPro: random cells of a grid, labels by attention as far as the prediction is trusted.

    MaskMix takes random cells of a grid from the partner, see `functional.maskmix`. lambda is a times the
    share of the class token's attention, as in transmix, plus 1 - a times the area, with a the cosine of the
    angle between the prediction for the mix and its label by area: early in training the area counts, later
    the attention. The attention is taken from the training pass itself: no pass is added, but this one runs
    uncompiled. For vision transformers whose last attention is over all tokens.
    """
    sample = partial(draw_with, F.maskmix, arguments)
    return Mixer("mixpro", sample, complete=_progressive, arguments=arguments)


def _attended(area: float, draw: Draw, shown: Shown) -> Draw:
    assert isinstance(draw, F.Masks)
    return F.attended(draw, shown.attention, area)


def _progressive(draw: Draw, shown: Shown) -> Draw:
    assert isinstance(draw, F.Masks)
    if shown.labels is None:
        raise UsageError(
            "labels must be given with mixpro, which compares them with the prediction, got none"
        )
    targets = F.soft_targets(shown.labels, shown.logits.shape[-1])
    return F.progressive(draw, shown.attention, shown.logits, targets)

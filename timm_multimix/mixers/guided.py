"""Mixers that are guided: by the images' saliency, or by what the model finds in them."""

from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..functional import Draw
from ..functional.checks import Share
from ..functional.mixing import check_boxes
from ..functional.saliencymix import check_cells
from .agreement import Agreement
from .arguments import as_usage_error
from .drawing import draw_with
from .entries import extending
from .mixer import Mixer
from .paper import Paper
from .registry import build, register_mixer
from .step import Branches, weighted

register_mixer(
    guide=("spectral", "gradient"),
    paper=Paper(
        "SaliencyMix: A Saliency Guided Data Augmentation Strategy for Better Regularization",
        authors=(
            "Uddin, A. F. M. Shahab",
            "Monira, Mst. Sirazam",
            "Shin, Wheemyung",
            "Chung, TaeChoong",
            "Bae, Sung-Ho",
        ),
        year=2021,
        arxiv="2006.01791",
        booktitle="International Conference on Learning Representations",
    ),
    agreement=Agreement(
        reference="arXiv:2006.01791, section 3; spectral residual: Hou and Zhang 2007, equations 3 to 5",
        tested="box and label, pixel by pixel; saliency by the sums of its Fourier transform, and "
        "on crops of photographs",
        tests=(
            "functional/test_saliencymix.py::test_saliencymix_pastes_a_box_about_the_partners_peak",
            "functional/test_saliencymix.py::test_spectral_residual_is_the_formula",
            "functional/test_saliencymix.py::test_the_border_of_photographs_is_not_salient_as_such",
        ),
        departures="The saliency is the spectral residual, not OpenCV's fine-grained one. The peak is "
        "each partner's own. The authors' CIFAR runs mix half of the batches, `0.5*none | "
        "0.5*saliencymix`.",
    ),
)(F.saliencymix)

register_mixer(
    guide="features",
    check=check_cells,
    paper=Paper(
        "Attentive CutMix: An Enhanced Data Augmentation Approach for Deep Learning Based Image "
        "Classification",
        authors=("Walawalkar, Devesh", "Shen, Zhiqiang", "Liu, Zechun", "Savvides, Marios"),
        year=2020,
        arxiv="2003.13048",
        booktitle="IEEE International Conference on Acoustics, Speech and Signal Processing",
    ),
    agreement=Agreement(
        reference="arXiv:2003.13048",
        tested="cells and label, pixel by pixel",
        tests=(
            "functional/test_saliencymix.py::test_attentivemix_pastes_the_partners_best_cells",
            "sites/test_guides.py::test_feature_map_is_the_last_features_on_their_grid",
        ),
        departures="The attention is the model's own, relu(z . GAP(z)) of its last feature map; the "
        "paper's is that of a second, pretrained network.",
    ),
)(F.attentivemix)

register_mixer(
    guide="gradient",
    solver=True,
    paper=Paper(
        "Puzzle Mix: Exploiting Saliency and Local Statistics for Optimal Mixup",
        authors=("Kim, Jang-Hyun", "Choo, Wonho", "Song, Hyun Oh"),
        year=2020,
        arxiv="2009.06962",
        booktitle="International Conference on Machine Learning",
    ),
    agreement=Agreement(
        reference="arXiv:2009.06962, equations 4 and 6; settings of the authors' CIFAR runs",
        tested="all labelings and all permutations of small grids; the energy from pixels",
        tests=(
            "functional/test_puzzlemix.py::test_minimum_cuts_find_the_best_of_all_labelings",
            "functional/test_puzzlemix.py::test_the_masks_energy_is_the_equation",
            "functional/test_puzzlemix.py::test_transport_is_the_best_of_all_permutations",
            "functional/test_puzzlemix.py::test_the_mix_is_the_mask_over_moved_images",
        ),
        departures="Mask and transport are solved exactly; the authors swap labels and iterate. Their "
        "adversarial noise, an option, is left out.",
    ),
)(F.puzzlemix)

register_mixer(
    guide="gradient",
    solver=True,
    row_per_example=False,
    paper=Paper(
        "Co-Mixup: Saliency Guided Joint Mixup with Supermodular Diversity",
        authors=("Kim, Jang-Hyun", "Choo, Wonho", "Jeong, Hosan", "Song, Hyun Oh"),
        year=2021,
        arxiv="2102.03065",
        booktitle="International Conference on Learning Representations",
    ),
    agreement=Agreement(
        reference="arXiv:2102.03065; settings of the authors' CIFAR-100 runs",
        tested="the objective cell by cell; all labelings of small grids",
        tests=(
            "functional/test_co_mixup.py::test_the_last_output_is_the_best_of_all_labelings",
            "functional/test_co_mixup.py::test_with_halves_the_last_output_is_the_best_of_all_mixed_labelings",
            "functional/test_co_mixup.py::test_costs_are_the_saliency_and_the_prior",
            "functional/test_co_mixup.py::test_mosaics_show_their_cells_and_weigh_their_labels",
        ),
        departures="alpha is 1; theirs is 2, with the clean loss in the same step, `none + "
        "co_mixup(alpha=2)`. Each mix is labeled exactly, iterations do not stop early, the "
        "gradient is taken in eval mode, and salient places are of windows of a quarter of "
        "the side.",
    ),
)(F.co_mixup)


@register_mixer(
    paper=Paper(
        "AlignMixup: Improving Representations By Interpolating Aligned Features",
        authors=("Venkataramanan, Shashanka", "Kijak, Ewa", "Amsaleg, Laurent", "Avrithis, Yannis"),
        year=2022,
        arxiv="2103.15375",
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition",
    ),
    agreement=Agreement(
        reference="arXiv:2103.15375, sections 3.2 and 3.3, the form without an autoencoder",
        tested="transport by scaling in turn, position by position; the assignment of least cost",
        tests=(
            "functional/test_alignmixup.py::test_alignmixup_is_the_formula_both_ways",
            "functional/test_alignmixup.py::test_sinkhorn_is_scaling_in_turn",
            "functional/test_alignmixup.py::test_sinkhorn_tends_to_the_best_assignment_and_stays_finite",
        ),
        departures="What comes to a position is brought to a sum of one; in the authors' code the plan "
        "is used as it is after 100 iterations, converged or not.",
    ),
)
@extending(F.alignmixup)
def alignmixup(arguments: dict[str, Any], p: Share = 0.5) -> Branches:
    """AlignMixup: mix last features, brought to each other's places by Sinkhorn transport.

    With probability p the last feature map is mixed after one of the two, drawn evenly, has been aligned to
    the other by an entropic transport plan between their positions (epsilon, and at most 100 iterations: the
    paper's); else the images are, by mixup. lambda ~ Beta(alpha, alpha) with the paper's alpha = 2, one for
    the batch. The features are those of the training pass, so no pass is added; the plan takes 2 `iterations`
    sums over r x r numbers an image, r the positions, in log space, on the device, without gradient. The
    paper's second form, with an autoencoder, is not this one.

    Args:
        p: the share of the batches whose features are mixed; the images of the others are, by mixup.
    """
    sample = partial(draw_with, F.alignmixup, arguments)
    aligned = Mixer("alignmixup", sample, "features", arguments=arguments)
    return weighted((p, aligned), (1 - p, build("mixup", (arguments["alpha"],))))


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
    """TransMix: CutMix whose labels go by the class token's attention on the mix.

    lambda is the share of the class token's attention, in the last layer, averaged over heads and without
    gradient, that falls on what was kept of the image; where the head reads no class token, of the attention
    that all positions pay. It is seen in the training pass itself: no pass is added, fused attention stays,
    but this pass runs uncompiled. For vision transformers whose last attention is over all tokens.

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


def _attended(area: float, draw: Draw, attention: Tensor) -> Draw:
    assert isinstance(draw, F.Masks)
    return F.attended(draw, attention, area)

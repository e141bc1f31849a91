"""Mixers guided by the images' saliency or by the features of the model."""

from functools import partial
from typing import Any

from .. import functional as F
from ..errors import UsageError
from ..functional.checks import Share
from ..functional.saliencymix import check_cells
from .drawing import draw_with
from .entries import extending
from .mixer import Layers, Mixer
from .registry import build, register_mixer
from .sources import Agreement, Paper
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
        "adversarial noise, an option, is left out. The loss is cross-entropy, as of every mixer; theirs is "
        "binary cross-entropy of the softmax.",
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
        departures="All iterations are made, and what comes to a position is brought to a sum of one; the "
        "authors' code stops by the change of a batch's mean and uses the plan as it is.",
    ),
)
@extending(F.alignmixup)
def alignmixup(arguments: dict[str, Any], p: Share = 0.5) -> Branches:
    """AlignMixup: mix the last features after aligning their positions by Sinkhorn transport.

    With probability p the last feature map is mixed after one of the two, drawn evenly, has been aligned to
    the other by an entropic transport plan between their positions (epsilon, and 100 iterations: the
    paper's); else the images are mixed by mixup. lambda ~ Beta(alpha, alpha) with the paper's alpha = 2, one
    for the batch. The features are those of the training pass, so no pass is added; the plan takes 2
    `iterations` sums over r x r numbers an image, r the positions, in log space, on the device, without
    gradient. The paper's second form, with an autoencoder, is not implemented.

    Args:
        p: the share of the batches whose features are mixed; the images of the others are mixed by mixup.
    """
    sample = partial(draw_with, F.alignmixup, arguments)
    aligned = Mixer("alignmixup", sample, "features", arguments=arguments)
    images = {"alpha": arguments["alpha"], "partner": arguments["partner"]}
    return weighted((p, aligned), (1 - p, build("mixup", (), images)))


register_mixer(
    guide=("spectral", "gradient"),
    paper=Paper(
        "GuidedMixup: An Efficient Mixup Strategy Guided by Saliency Maps",
        authors=("Kang, Minsoo", "Kim, Suhyun"),
        year=2023,
        arxiv="2306.16612",
        booktitle="AAAI Conference on Artificial Intelligence",
    ),
    agreement=Agreement(
        reference="arXiv:2306.16612 and the authors' code",
        tested="pairs by a greedy search in sets; pixel weights with torchvision's blur, image by image",
        tests=(
            "functional/test_guided_mixup.py::test_pairs_are_one_cycle_of_farthest_points",
            "functional/test_guided_mixup.py::test_pixels_are_blended_by_their_shares_of_the_saliency",
        ),
        departures="`spectral` is this package's spectral residual, whose own smoothing differs from theirs. "
        "Pairs are of the whole batch; the authors' code can divide it into parts.",
    ),
)(F.guided_mixup)


register_mixer(
    guide="evidence",
    paper=Paper(
        "SnapMix: Semantically Proportional Mixing for Augmenting Fine-grained Data",
        authors=("Huang, Shaoli", "Wang, Xinchao", "Tao, Dacheng"),
        year=2021,
        arxiv="2012.04846",
        booktitle="AAAI Conference on Artificial Intelligence",
    ),
    agreement=Agreement(
        reference="arXiv:2012.04846 and the authors' code",
        tested="the pasted box by torch's interpolation of the crop, labels by sums over the boxes",
        tests=(
            "functional/test_snapmix.py::test_a_resized_box_and_labels_by_the_evidence",
            "sites/test_guides.py::test_class_evidence_is_the_logit_of_the_own_class_at_every_position",
        ),
        departures="Sides of boxes are floor(sqrt(1 - lambda) length); the code rounds them down to even "
        "numbers. It doubles the loss of pairs of one class, here they count once. The map is of the "
        "features that the head reads; the code applies a ReLU before, which a ResNet's have already.",
    ),
)(F.snapmix)


@register_mixer(
    paper=Paper(
        "Catch-Up Mix: Catch-Up Class for Struggling Filters in CNN",
        authors=("Kang, Minsoo", "Kang, Minkoo", "Kim, Suhyun"),
        year=2024,
        arxiv="2401.13193",
        booktitle="AAAI Conference on Artificial Intelligence",
    ),
    agreement=Agreement(
        reference="arXiv:2401.13193, as two independent public reimplementations have it",
        tested="a loop over the channels",
        tests=(
            "functional/test_catch_up_mix.py::test_the_channels_that_lag_behind_are_kept",
            "functional/test_catch_up_mix.py::test_in_training_layers_and_cutmix_of_the_images_take_turns",
        ),
        departures="By default two stages are mixed, which every network here has; the paper draws from the "
        "stem and all four stages of its own.",
    ),
)
@extending(F.catch_up_mix)
def catch_up_mix(
    arguments: dict[str, Any], p: Share = 0.8333, layers: Layers = ("stage 1", "stage 2")
) -> Branches:
    """Catch-up Mix: keep the channels that lag behind, of a feature map and its partner's.

    With probability p one of the `layers`, chosen for every batch, is mixed: floor(lambda ch) channels whose
    share of the map's l2 norms is lowest compared with the partner's are kept, the others are the partner's;
    the label is by lambda ~ Beta(alpha, alpha), one for the batch. Else the images are mixed by CutMix. The
    paper chooses evenly from the images and five layers, hence p = 5/6; of a ResNet of timm these are
    `layers=(1, 2, 3, 4, 5)`. For networks whose layers return maps [b, ch, h, w].

    Args:
        p: the share of the batches of which a layer is mixed; the images of the others are mixed by cutmix.
        layers: of which one is chosen for every batch, numbers from 1 on or names as in manifold_mixup.
    """
    sample = partial(draw_with, F.catch_up_mix, arguments)
    hidden = Mixer("catch_up_mix", sample, "hidden", layers, arguments=arguments)
    if 0 in layers:
        raise UsageError(
            "layers of catch_up_mix must be behind the input, which cutmix mixes, got 0 among them"
        )
    images = {"alpha": arguments["alpha"], "partner": arguments["partner"]}
    return weighted((p, hidden), (1 - p, build("cutmix", (), images)))

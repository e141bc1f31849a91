"""Mixers that are guided: by the images' saliency, or by what the model finds in them."""

from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..functional import Draw
from ..functional.checks import Share
from ..functional.saliencymix import check_cells
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
)(F.co_mixup)


@register_mixer(
    paper=Paper(
        "AlignMixup: Improving Representations By Interpolating Aligned Features",
        authors=("Venkataramanan, Shashanka", "Kijak, Ewa", "Amsaleg, Laurent", "Avrithis, Yannis"),
        year=2022,
        arxiv="2103.15375",
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition",
    )
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
    )
)
@extending(F.cutmix, without=("correct",))
def transmix(arguments: dict[str, Any], area: Share = 0.5) -> Mixer:
    """TransMix: CutMix whose labels go by the class token's attention on the mix.

    lambda is the share of the class token's attention, in the last layer, averaged over heads and without
    gradient, that falls on what was kept of the image; where the head reads no class token, of the attention
    that all positions pay. It is seen in the training pass itself: no pass is added, fused attention stays,
    but this pass runs uncompiled. area: the share that the label by area keeps; 0 is the paper's equation 4,
    0.5 what the authors' code does, with which the paper's numbers were made. For vision transformers whose
    last attention is over all tokens.
    """
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
)(F.tokenmix)


def _attended(area: float, draw: Draw, attention: Tensor) -> Draw:
    assert isinstance(draw, F.Masks)
    return F.attended(draw, attention, area)

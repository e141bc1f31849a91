"""Mixers of two examples by a number: of any tensor, at any place."""

from torch import Generator, Tensor

from .. import functional as F
from ..functional import Draw
from ..functional.checks import Concentration, Flag
from .mixer import PLACES
from .paper import Paper
from .registry import register_mixer

register_mixer(F.none)

register_mixer(
    place=PLACES,
    paper=Paper(
        "Data Augmentation by Pairing Samples for Images Classification",
        authors=("Inoue, Hiroshi",),
        year=2018,
        arxiv="1801.02929",
    ),
)(F.sample_pairing)

register_mixer(
    place=PLACES,
    paper=Paper(
        "mixup: Beyond Empirical Risk Minimization",
        authors=("Zhang, Hongyi", "Cisse, Moustapha", "Dauphin, Yann N.", "Lopez-Paz, David"),
        year=2018,
        arxiv="1710.09412",
        booktitle="International Conference on Learning Representations",
    ),
)(F.mixup)


@register_mixer(
    place="hidden",
    paper=Paper(
        "Manifold Mixup: Better Representations by Interpolating Hidden States",
        authors=(
            "Verma, Vikas",
            "Lamb, Alex",
            "Beckham, Christopher",
            "Najafi, Amir",
            "Mitliagkas, Ioannis",
            "Lopez-Paz, David",
            "Bengio, Yoshua",
        ),
        year=2019,
        arxiv="1806.05236",
        booktitle="International Conference on Machine Learning",
    ),
)
def manifold_mixup(
    x: Tensor, alpha: Concentration = 2.0, per_sample: Flag = False, generator: Generator | None = None
) -> Draw:
    """Manifold mixup: mixup at a layer chosen for every batch.

    layers: 0 is the input, k the k-th entry of the model's feature_info, 'stage k' its k-th entry behind the
    stem, any other string a module's name. The default is the paper's: in timm's resnet, regnet and densenet
    entry 1 is the stem, which the paper does not mix.
    """
    return F.mixup.draw(x, alpha, per_sample, generator)


register_mixer(
    place=PLACES,
    row_per_example=False,
    paper=Paper(
        "Mixup Augmentation with Multiple Interpolations",
        authors=("Shen, Lifeng", "Yu, Jincheng", "Yang, Hansi", "Kwok, James T."),
        year=2024,
        arxiv="2406.01417",
    ),
)(F.multi_mixup)

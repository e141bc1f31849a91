"""Mixers that interpolate two examples by lambda, for any tensor and at any place."""

from torch import Generator, Tensor

from .. import functional as F
from ..functional import Draw
from ..functional.checks import Concentration, Flag
from ..functional.partners import PairPartner, check_pairs
from .places import ANY_PLACE
from .registry import register_mixer
from .sources import Agreement, Paper

register_mixer(
    agreement=Agreement(
        reference="empirical risk minimisation",
        tested="the draw changes nothing, and without smoothing the loss is torch's cross-entropy",
        tests=("mixers/test_agreement.py::test_none_is_the_plain_loss",),
    ),
)(F.none)

register_mixer(
    place=ANY_PLACE,
    paper=Paper(
        "Data Augmentation by Pairing Samples for Images Classification",
        authors=("Inoue, Hiroshi",),
        year=2018,
        arxiv="1801.02929",
    ),
    agreement=Agreement(
        reference="arXiv:1801.02929",
        tested="average and kept label, by the formula",
        tests=("functional/test_mixing.py::test_sample_pairing_averages_and_keeps_the_first_label",),
        departures="The paper's phases, without mixing at first and at the end, are a schedule "
        "(--mix-schedule), not part of the mixer.",
    ),
)(F.sample_pairing)

register_mixer(
    place=ANY_PLACE,
    check=check_pairs,
    paper=Paper(
        "mixup: Beyond Empirical Risk Minimization",
        authors=("Zhang, Hongyi", "Cisse, Moustapha", "Dauphin, Yann N.", "Lopez-Paz, David"),
        year=2018,
        arxiv="1710.09412",
        booktitle="International Conference on Learning Representations",
    ),
    agreement=Agreement(
        reference="arXiv:1710.09412, equation 1",
        tested="a loop over the examples; moments of lambda",
        tests=(
            "functional/test_mixing.py::test_mixup_is_the_formula",
            "functional/test_mixing.py::test_lambda_has_the_moments_of_beta",
        ),
    ),
)(F.mixup)


@register_mixer(
    place="hidden",
    check=check_pairs,
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
    agreement=Agreement(
        reference="arXiv:1806.05236; the layers of its authors' ResNets",
        tested="the two halves of the network run by hand; which stages change; stems of timm's families",
        tests=(
            "sites/test_hidden.py::test_mixing_at_a_layer_is_running_the_two_halves",
            "sites/test_stems.py::test_by_default_the_stages_of_the_paper_are_mixed",
        ),
    ),
)
def manifold_mixup(
    x: Tensor,
    alpha: Concentration = 2.0,
    per_sample: Flag = False,
    partner: PairPartner = "random",
    generator: Generator | None = None,
) -> Draw:
    """Manifold mixup: mixup at a layer chosen for every batch.

    layers: 0 is the input, k the k-th entry of the model's feature_info, 'stage k' its k-th entry after the
    stem, any other string a module's name. The default is the paper's: in timm's resnet, regnet and densenet
    entry 1 is the stem, which the paper does not mix.

    Args:
        partner: as in mixup.
    """
    return F.mixup.draw(x, alpha, per_sample, partner, generator)


register_mixer(
    place=ANY_PLACE,
    row_per_example=False,
    paper=Paper(
        "Mixup Augmentation with Multiple Interpolations",
        authors=("Shen, Lifeng", "Yu, Jincheng", "Yang, Hansi", "Kwok, James T."),
        year=2024,
        arxiv="2406.01417",
    ),
    agreement=Agreement(
        reference="arXiv:2406.01417, equation 3",
        tested="a loop over the examples; independence of the lambdas; variance of the gradient "
        "below mixup's",
        tests=(
            "functional/test_many.py::test_multi_mixup_is_the_formula",
            "functional/test_many.py::test_multi_mixups_lambdas_are_independent_beta_variates",
            "functional/test_many.py::test_the_gradient_of_multi_mixup_varies_less_than_that_of_mixup",
        ),
    ),
)(F.multi_mixup)

register_mixer(
    place=ANY_PLACE,
    guide="labels",
    paper=Paper(
        "C-Mixup: Improving Generalization in Regression",
        authors=("Yao, Huaxiu", "Wang, Yiping", "Zhang, Linjun", "Zou, James", "Finn, Chelsea"),
        year=2022,
        arxiv="2210.05775",
        booktitle="Advances in Neural Information Processing Systems",
    ),
    agreement=Agreement(
        reference="arXiv:2210.05775, algorithm 1, and the authors' code",
        tested="frequencies of the partners against the kernel, pair by pair; the mix, example by example",
        tests=(
            "functional/test_partners.py::test_partners_are_drawn_by_the_kernel",
            "functional/test_partners.py::test_c_mixup_is_mixup_with_these_partners",
        ),
        departures="Partners are drawn from the batch, not from the whole training set, as in the authors' "
        "variant for large sets.",
    ),
)(F.c_mixup)

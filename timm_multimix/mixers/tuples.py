"""Mixers of many examples: MultiMix before the classifier, Dense MultiMix at every position, zeta-mixup."""

import inspect
import warnings
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from .. import functional as F
from ..errors import UsageError
from ..functional import Draw
from ..functional.attention import AttentionScore, find_score
from ..functional.checks import Flag, Share
from .arguments import as_usage_error
from .drawing import draw_with
from .entries import extending
from .mixer import FIRST_LAYERS, Context, Layers, Mixer, PlaceName, check_layers
from .places import ANY_PLACE, PLACES
from .registry import register_mixer
from .sources import Agreement, Paper
from .spec import parse_spec
from .step import Branches, weighted

MULTIMIX = Paper(
    "Embedding Space Interpolation Beyond Mini-Batch, Beyond Pairs and Beyond Examples",
    authors=("Venkataramanan, Shashanka", "Kijak, Ewa", "Amsaleg, Laurent", "Avrithis, Yannis"),
    year=2023,
    arxiv="2311.05538",
    booktitle="Advances in Neural Information Processing Systems",
)

_COLLAPSE = (
    "multimix over the whole batch at place={!r} collapses training (94.7 % error on CIFAR-100, "
    "zeta-mixup paper, table 8); give short tuples, such as m=2"
)


_DEFAULTS = {name: each.default for name, each in inspect.signature(F.multimix).parameters.items()}


@register_mixer(
    paper=MULTIMIX,
    agreement=Agreement(
        reference="arXiv:2311.05538, section 3.2; the authors publish no code",
        tested="interpolations and loss written out; mixing the embeddings of a timm model by hand; "
        "moments of the weights",
        tests=(
            "functional/test_mixing.py::test_multimix_is_the_formula",
            "functional/test_tuple_loss.py::test_equals_the_literal_computation",
            "functional/test_tuple_loss.py::test_equals_mixing_the_embeddings",
            "task/test_task.py::test_embedding_loss_is_the_paper_on_the_penultimate_layer",
            "functional/test_sampling.py::test_dirichlet_has_its_mean_and_variance",
        ),
        departures="Logits are mixed in place of embeddings: the same where the last map is affine, "
        "else a warning, or `literal=True`. The alpha of the mixup half is 1, not given in "
        "the paper. One alpha for all examples; the one public replica has one for each "
        "(`alpha_per_example=True`).",
    ),
)
@extending(F.multimix, after="alpha")
def multimix(
    arguments: dict[str, Any],
    p: Share = 0.5,
    other: str = "mixup",
    gather: Flag = False,
    place: PlaceName = "embedding",
    layers: Layers = FIRST_LAYERS,
    literal: bool | str | tuple[str, ...] = False,
) -> Branches:
    """MultiMix: n interpolations of the whole batch, before the classifier.

    With probability p MultiMix, else the mixer spec `other`. The paper does not give the alpha of its mixup;
    AlignMixup, by the same authors and also with probability 1/2, has 2 in both halves: `other='mixup(2)'`.
    The one public replica of the method, by a co-author's group (arXiv:2312.12334), has `alpha_per_example`,
    with n = 1000 and alpha from 0.5 to 2 as here.

    The clean examples are classified and their logits are mixed. That equals mixing the classifier's input
    exactly if all layers after it are affine and treat examples independently. Batch normalisation before
    that point uses the clean batch, and dropout comes before mixing. The first step checks this and warns if
    it does not hold; `literal` mixes the classifier's own input.

    In short training under SGD the MultiMix steps do little. Weights near 1/m make every mixed example nearly
    the batch's mean, and to second order the loss is that of the mean plus 1/(m alpha + 1) times a term that
    separates examples. At small logits the gradient of this term is cross-entropy's times 1/(m alpha + 1):
    with m = 128 and alpha = 1, 0.8 % of that of a clean step. The recipe then does what
    `0.5*mixup | 0.5*skip` does, except that classes are clustered more tightly. In 4,000 updates with right
    labels, too, no accuracy beyond that was shown; with 40 % wrong ones it was 1.5 points, by an uncorrected
    interval (docs/results). A smaller alpha, short tuples and `target` make the factor, which in a batch of b
    is (sum lambda^2 - 1/b) b / (b - 1), larger.

    Args:
        p: the share of the batches that MultiMix mixes.
        literal: True mixes the input of the model's classifier itself, names of modules that of these
            modules, and n mixed embeddings are classified; False mixes logits.
    """
    _check_concentrations(arguments)
    check_layers(layers, place)
    if gather and place != "embedding":
        raise UsageError(f"gather=True must be given with place='embedding', got place={place!r}")
    if arguments["m"] is None and PLACES[place].maps:
        warnings.warn(_COLLAPSE.format(place), stacklevel=2)
    sample = partial(draw_with, F.multimix, arguments)
    pure = Mixer("multimix", sample, place, layers, gather, row_per_example=False, arguments=arguments)
    if literal is not False:
        pure = replace(pure, place="classifier", classifiers=_check_literal(literal, gather, place))
    return _with_probability(p, pure, other)


@register_mixer(
    paper=MULTIMIX,
    agreement=Agreement(
        reference="arXiv:2311.05538, section 3.3; the authors publish no code",
        tested="weights and mix, position by position; the loss of a timm model written out; "
        "positions against a loop through the head",
        tests=(
            "functional/test_mixing.py::test_dense_weights_are_the_formula",
            "functional/test_attention.py::test_attention_is_the_score_normalised_over_the_positions",
            "task/test_task.py::test_dense_loss_is_the_paper_at_every_position",
            "sites/test_positions.py::test_agrees_with_a_loop_over_positions",
        ),
        departures="In a vision transformer the patch tokens go through the class token's head, and the "
        "class token is one more position with attention 1: choices of this package, as the "
        "paper's are not public.",
    ),
)
@extending(F.dense_weights, after="alpha")
def dense_multimix(
    arguments: dict[str, Any],
    p: Share = 0.5,
    other: str = "mixup",
    attention_grad: Flag = False,
    attention: AttentionScore = "product",
) -> Branches:
    """Dense MultiMix: MultiMix at every spatial position, weighted by attention.

    The attention is computed from the positions' features z and l1-normalised over the positions: `product`,
    relu(z . GAP(z)), is the paper's; `gap`, relu of the mean over channels, and `uniform` are its ablation's.

    Args:
        p: the share of the batches that Dense MultiMix mixes.
        attention_grad: whether gradient flows through the attention.
        attention: 'product', 'gap', 'uniform', or in Python a function of z [r, b, d] that returns scores
            [r, b] of at least 0.
    """
    with as_usage_error():
        find_score(attention)
    _check_concentrations(arguments)
    sample = partial(_sample_dense, not attention_grad, arguments)
    mixer = Mixer("dense_multimix", sample, "positions", attention=attention, arguments=arguments)
    return _with_probability(p, mixer, other)


register_mixer(
    place=ANY_PLACE,
    paper=Paper(
        "Multi-Sample ζ-mixup: Richer, More Realistic Synthetic Samples from a p-Series Interpolant",
        authors=("Abhishek, Kumar", "Brown, Colin J.", "Hamarneh, Ghassan"),
        year=2024,
        arxiv="2204.03323",
        journal="Journal of Big Data",
    ),
    agreement=Agreement(
        reference="arXiv:2204.03323, equation 2",
        tested="a loop over rows; distribution of the ranks",
        tests=(
            "functional/test_many.py::test_zeta_mixup_is_the_formula",
            "functional/test_many.py::test_zeta_mixup_gives_the_others_every_rank_equally_often",
        ),
    ),
)(F.zeta_mixup)


def _check_concentrations(arguments: dict[str, Any]) -> None:
    """Check that `rest` is given with `target` only, and alpha without it."""
    changed = {name for name, value in arguments.items() if value != _DEFAULTS.get(name)}
    if "target" not in changed and "rest" in changed:
        raise UsageError(
            f"rest must be given with target, such as target=3.0, got rest={arguments['rest']!r} alone"
        )
    if "target" in changed and changed & {"alpha", "alpha_per_example"}:
        raise UsageError(f"alpha must be left out with target={arguments['target']!r}, got both")


def _sample_dense(detach: bool, arguments: dict[str, Any], x: Tensor, context: Context) -> Draw:
    assert context.attention is not None
    attention = context.attention.detach() if detach else context.attention
    return F.Tuples(F.dense_weights(attention, **arguments, generator=context.generator))


def _check_literal(literal: Any, gather: bool, place: str) -> tuple[str, ...]:
    """Return the names of the modules whose input is to be mixed; none for the model's own classifiers."""
    names = tuple(literal) if isinstance(literal, tuple | list) else (literal,)
    if literal is not True and not (names and all(isinstance(name, str) and name for name in names)):
        raise UsageError(f"literal must be True, False or names of modules, got {literal!r}")
    if place != "embedding":
        raise UsageError(f"literal must be given with place='embedding', got place={place!r}")
    if gather:
        raise UsageError("literal must be given with gather=False, as only logits travel, got gather=True")
    return () if literal is True else names


def _with_probability(p: float, mixer: Mixer, other: str) -> Branches:
    """Combine `mixer` with probability p and the spec `other`."""
    return weighted((p, mixer), (1 - p, parse_spec(other)))

"""Steps of training: sums of losses of chains of mixers, and the choice between weighted steps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise

import torch

from ..errors import UsageError
from ..mixer_names import SKIP
from .mixer import Mixer
from .places import PLACES

_MOST_BRANCHES = 1000


@dataclass(frozen=True)
class Term:
    """A loss: `weight` times that of a batch mixed by each mixer of `chain`, one after the other.

    Args:
        chain: the mixers, in the order of their depth.
        weight: weight of the loss.

    Examples:
        >>> create_mixer("cutmix >> multimix(m=4, p=1)").branches[0][1].terms[0].weight
        1.0
    """

    chain: tuple[Mixer, ...]
    weight: float = 1.0

    @property
    def network(self) -> tuple[Mixer, ...]:
        """The mixers in the network pass; terms with the very same ones share one pass."""
        return tuple(mixer for mixer in self.chain if _is_inside(mixer) and mixer.name != "none")

    @property
    def logits(self) -> Mixer | None:
        """The mixer of the logits that the network returns, if there is one."""
        return None if _is_inside(self.chain[-1]) else self.chain[-1]


def _is_inside(mixer: Mixer) -> bool:
    return PLACES[mixer.place].in_network


@dataclass(frozen=True)
class Step:
    """The sum of the losses of its terms. A step without terms is left out: no pass and no update.

    Args:
        terms: the losses.

    Examples:
        >>> create_mixer("none + mixup").branches[0][1]
        Step('none + mixup')
    """

    terms: tuple[Term, ...]

    def __repr__(self) -> str:
        return f"Step({self.name!r})"

    @property
    def mixers(self) -> tuple[Mixer, ...]:
        """All mixers in it, each once."""
        return tuple({id(mixer): mixer for term in self.terms for mixer in term.chain}.values())

    @property
    def mixer(self) -> Mixer:
        """The mixer of a step that consists of one."""
        (mixer,) = self.mixers
        return mixer

    @property
    def is_plain(self) -> bool:
        """Whether it consists of one mixer."""
        return len(self.terms) == 1 and len(self.terms[0].chain) == 1

    @property
    def name(self) -> str:
        """The spec of the step, without arguments."""
        return " + ".join(map(_written, self.terms)) or SKIP

    def choose(self, generator: torch.Generator) -> "Step":
        """Choose the step for one batch: every mixer with one of its layers, if it has several.

        Args:
            generator: source of the choice.
        """
        chosen = {id(mixer): mixer.choose(generator) for mixer in self.mixers}
        return Step(
            tuple(Term(tuple(chosen[id(each)] for each in term.chain), term.weight) for term in self.terms)
        )


Branches = tuple[tuple[float, Step], ...]


def _written(term: Term) -> str:
    chain = " >> ".join(mixer.name for mixer in term.chain)
    return chain if term.weight == 1 else f"{term.weight:g}*{chain}"


def as_branches(part: "Mixer | Branches") -> Branches:
    """Wrap a mixer as the only step; a copy, as terms share the pass of what is the very same mixer."""
    return ((1.0, Step((Term((replace(part),)),))),) if isinstance(part, Mixer) else part


def choose_branch(branches: Branches, generator: torch.Generator) -> Step:
    """Choose one of weighted steps, with one of the layers of each of its mixers."""
    if len(branches) == 1:
        return branches[0][1].choose(generator)
    threshold = float(torch.rand((), generator=generator, dtype=torch.float64, device="cpu"))
    reached = accumulate(weight for weight, _ in branches)
    chosen = next((i for i, share in enumerate(reached) if threshold < share), len(branches) - 1)
    return branches[chosen][1].choose(generator)


def weighted(*parts: "tuple[float, Mixer | Branches]") -> Branches:
    """Combine alternatives: mixers and branches in one flat level; weights are normalised at every level."""
    total = sum(weight for weight, _ in parts)
    if total == float("inf"):
        raise OverflowError("the sum of the weights is not finite")
    flat = [(weight / total * share, step) for weight, part in parts for share, step in as_branches(part)]
    return tuple((weight, step) for weight, step in flat if weight > 0)


def added(parts: Iterable[tuple[float, Branches]]) -> Branches:
    """Combine summands: their losses are added, each with its weight; alternatives are chosen independently.

    Raises:
        UsageError: a part leaves the step out, or there are too many combinations of alternatives.
    """
    sums: Branches = ((1.0, Step(())),)
    for weight, branches in parts:
        _refuse_skip(branches, "+")
        sums = _product(sums, branches, partial(_with_terms, weight))
    return sums


def composed(first: Branches, second: Branches) -> Branches:
    """Combine a chain: `second` mixes what `first` has mixed, in one pass, for every pair of their terms.

    Raises:
        UsageError: `second` is no deeper in the network than `first`, or a part leaves the step out.
    """
    _refuse_skip((*first, *second), ">>")
    names = " | ".join(step.name for _, step in second)
    hint = "; multimix has mixup unless p=1" if "multimix | mixup" in names else ""

    def combine(one: Step, other: Step) -> Step:
        try:
            return _composed_step(one, other)
        except UsageError as error:
            raise UsageError(f"{error}, an alternative of {names}{hint}") if second[1:] else error from None

    return _product(first, second, combine)


def _product(first: Branches, second: Branches, combine: Callable[[Step, Step], Step]) -> Branches:
    if len(first) * len(second) > _MOST_BRANCHES:
        raise UsageError(
            f"a mixer spec must have at most {_MOST_BRANCHES} combinations of alternatives, "
            f"got {len(first) * len(second)}"
        )
    return tuple((p * q, combine(a, b)) for p, a in first for q, b in second)


def _with_terms(weight: float, sum: Step, step: Step) -> Step:
    return Step((*sum.terms, *(Term(term.chain, weight * term.weight) for term in step.terms)))


def _composed_step(first: Step, second: Step) -> Step:
    return Step(tuple(_composed_term(a, b) for a in first.terms for b in second.terms))


def _composed_term(first: Term, second: Term) -> Term:
    mixing = tuple(mixer for mixer in (*first.chain, *second.chain) if mixer.name != "none")
    for before, after in pairwise(mixing):
        _check_deeper(before, after)
    return Term(mixing or first.chain, first.weight * second.weight)


def _check_deeper(before: Mixer, after: Mixer) -> None:
    last = PLACES[before.place].depth
    # A hidden mixer may choose layer 0, the input. After mixing the features no pass returns the logits of
    # their positions.
    first = 0 if after.place == "hidden" and 0 in after.layers else PLACES[after.place].depth
    if first > last and (before.place, after.place) != ("features", "positions"):
        return
    where = f"{after.place} (layers {after.layers})" if after.place == "hidden" else after.place
    raise UsageError(
        f"in a mixer spec `a >> b`, b must mix deeper in the network than a, got {before.name} at "
        f"{before.place} >> {after.name} at {where}"
    )


def _refuse_skip(branches: Branches, sign: str) -> None:
    if any(not step.terms for _, step in branches):
        raise UsageError(
            f"{SKIP} must be an alternative, such as 0.5*mixup | 0.5*{SKIP}, got it as a part of {sign}"
        )

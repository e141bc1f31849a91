"""Criteria: losses of logits against soft targets, each a class with all that mixing needs to know about it.

To add one, write its class here and register it: its name is then accepted wherever a criterion is given.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from ..errors import UsageError
from .draws import Draw
from .precision import without_autocast
from .tuple_sums import EntropySums, SquaredSums, TupleSums, at, dot


class Criterion(ABC):
    """A loss of logits [..., c] against soft targets of that shape."""

    name: str
    """Its name, as an argument and in messages."""
    sums: type[TupleSums] | None = None
    """Computes its loss of many tuples without their logits; None: the logits of all tuples are computed."""
    linear = False
    """Whether it is linear in the target, so that the loss of blended targets is the blend of losses."""
    indices = False
    """Whether `sums` accepts class indices [b] as targets, which is faster."""
    values = True
    """Whether labels [b] of a single output are values; else they are indices of the only class."""
    hard = False
    """Whether its targets must be class indices, neither smoothed nor blended."""
    regression = False
    """Whether labels are values, so that there are no classes."""
    module: nn.Module | None = None
    """A module in it, whose parameters and buffers belong to the task."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits [..., c] against soft targets of that shape."""

    def loss_of_mixed(self, draw: Draw, output: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits [n, ..., c] of mixed examples, by the clean examples' targets."""
        return self.loss(output, draw.targets(targets))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of the classes."""
        return logits.softmax(-1)

    def prediction(self, logits: Tensor) -> Tensor:
        """Return the logits in the form of targets."""
        return self.probabilities(logits)


class Formula(Criterion):
    """A criterion computed in float32 (float64 if the logits are), outside autocast."""

    @abstractmethod
    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits and targets of one dtype."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        with without_autocast(logits.device):
            logits = logits if logits.dtype == torch.float64 else logits.float()
            return self.formula(logits, targets.to(logits.dtype))


class SoftmaxSums(EntropySums):
    """Sums of softmax cross-entropy: phi is s lse(z), with s the mass of the target; P is s softmax(z)."""

    # exp2 and log2 are faster than exp and log.
    unit = math.log(2)
    per_class = False

    def _scaled(self, logits: Tensor) -> Tensor:
        # A constant added to all logits of an example does not change the loss; log-softmax removes a large
        # common offset, which would cost precision.
        return logits.log_softmax(-1).div_(self.unit)

    def _predict(
        self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice
    ) -> tuple[Tensor, Tensor]:
        mass = weights.sum(-1, keepdim=True) if self.given.dim() == 1 else weights @ at(self.mass, positions)
        highest = mixed.amax(-1, keepdim=True)
        total = torch.exp2(mixed.sub_(highest), out=predicted).sum(-1, keepdim=True)
        log_total = total.log2()
        value = dot(mass, log_total if self.by_chunks else log_total.add_(highest))
        return value, mass.div_(total)

    def _weights_gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        mixed = weights @ logits
        by_mass = mixed.logsumexp(-1, keepdim=True) * self.mass.mT
        return (weights @ self.mass) * mixed.softmax(-1) @ logits.mT + by_mass


class SigmoidSums(EntropySums):
    """Sums of binary cross-entropy: phi is softplus, and P is the sigmoid."""

    def _predict(
        self, mixed: Tensor, predicted: Tensor, weights: Tensor, positions: slice
    ) -> tuple[Tensor, Tensor]:
        value = nnf.softplus(mixed).sum()
        torch.sigmoid(mixed, out=predicted)
        return value, mixed.new_ones(())

    def _weights_gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        return (weights @ logits).sigmoid() @ logits.mT


class Softmax(Formula):
    """Cross-entropy of a distribution over the classes."""

    name = "softmax"
    sums, linear, indices, values = SoftmaxSums, True, True, False

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_p = logits.log_softmax(-1)
        if not targets.requires_grad:  # a class without a target may have the logit -inf, as masked ones have
            log_p = log_p.masked_fill(targets == 0, 0)
        return -(targets * log_p).sum(-1).mean()


class Sigmoid(Formula):
    """Binary cross-entropy of every class, averaged over the classes."""

    name = "sigmoid"
    sums, linear, indices = SigmoidSums, True, True

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        return nnf.binary_cross_entropy_with_logits(logits, targets)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class BinaryCrossEntropy(Formula):
    """Binary cross-entropy with binarised targets, weighted positives or summed classes.

    -w t log s(z) - (1 - t) log(1 - s(z)) with the sigmoid s, the weight w and the target t; equal to timm's
    `BinaryCrossEntropy` for soft targets.

    Args:
        threshold: targets above it become 1, others 0; None leaves them as they are.
        pos_weight: the weight w of the positive part.
        sum_classes: whether classes are summed instead of averaged.
    """

    name = "bce"

    def __init__(
        self, threshold: float | None = None, pos_weight: float | None = None, sum_classes: bool = False
    ) -> None:
        self.threshold, self.pos_weight, self.sum_classes = threshold, pos_weight, sum_classes
        self.linear = threshold is None

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits [..., c] against targets of that shape."""
        if self.threshold is not None:
            targets = (targets > self.threshold).to(targets.dtype)
        weight = None if self.pos_weight is None else logits.new_tensor(self.pos_weight)
        loss = nnf.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)
        return loss * logits.shape[-1] if self.sum_classes else loss

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each class by itself."""
        return logits.sigmoid()


class SquaredError(Formula):
    """Squared error, averaged over the outputs."""

    name = "mse"
    sums, regression = SquaredSums, True

    def formula(self, logits: Tensor, targets: Tensor) -> Tensor:
        return nnf.mse_loss(logits, targets)

    def prediction(self, logits: Tensor) -> Tensor:
        return logits


LIKE: dict[str, Criterion] = {
    **dict.fromkeys(("CrossEntropyLoss", "cross_entropy", "SoftTargetCrossEntropy"), Softmax()),
    **dict.fromkeys(("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"), Sigmoid()),
    **dict.fromkeys(
        ("MultiLabelSoftMarginLoss", "BinaryCrossEntropy", "AsymmetricLossMultiLabel"), Sigmoid()
    ),
    **dict.fromkeys(("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"), SquaredError()),
    **dict.fromkeys(("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"), SquaredError()),
}
"""Losses of torch and timm by name, and the criterion that makes targets of logits as they need them."""


TAKES_INDICES = {
    "LabelSmoothingCrossEntropy": "give smoothing in its place",
    **dict.fromkeys(
        ("NLLLoss", "nll_loss", "MultiMarginLoss", "multi_margin_loss"),
        "wrap it, with reduction='none', as functional.HardPairs",
    ),
}
"""Losses of torch and timm that take class indices only, and what to do instead."""


class Function(Criterion):
    """A criterion made of a callable (logits [rows, c], targets [rows, c]) that returns their mean loss.

    Raises:
        UsageError: a class, not an instance of it; a loss with another reduction than the mean; or one that
            takes class indices only.
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.function, self.name = function, getattr(function, "__name__", type(function).__name__)
        if isinstance(function, type):
            raise UsageError(f"criterion must be an instance, {self.name}(), got the class")
        if (reduction := getattr(function, "reduction", "mean")) != "mean":
            raise UsageError(f"criterion must have reduction='mean', got {reduction!r} of {self.name}")
        if (instead := TAKES_INDICES.get(self.name)) is not None:
            raise UsageError(f"criterion must take soft targets [rows, c], got {self.name}; {instead}")
        self.like = LIKE.get(self.name)
        self.regression = self.like is not None and self.like.regression

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = self.function(logits.flatten(0, -2), targets.flatten(0, -2))
        if not isinstance(loss, Tensor) or loss.dim():
            given = f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise UsageError(f"criterion must return the mean loss, a scalar, got {given} from {self.name}")
        return loss

    def probabilities(self, logits: Tensor) -> Tensor:
        return super().probabilities(logits) if self.like is None else self.like.probabilities(logits)

    def prediction(self, logits: Tensor) -> Tensor:
        if self.like is None:
            raise UsageError(
                f"criterion must say what a teacher's targets are: make {self.name} a subclass of "
                "functional.criteria.Criterion with `prediction`"
            )
        return self.like.prediction(logits)


AnyCriterion = str | Criterion | Callable[[Tensor, Tensor], Tensor]

CRITERIA: dict[str, Criterion] = {}
"""Registered criteria by name."""


def register_criterion(criterion: Criterion) -> None:
    """Register a criterion under its name."""
    CRITERIA[criterion.name] = criterion


for _each in (Softmax(), Sigmoid(), SquaredError()):
    register_criterion(_each)


def find_criterion(given: object) -> Criterion:
    """Return the criterion that a name, a callable or a criterion stands for.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(given, Criterion):
        return given
    if isinstance(given, str) and given in CRITERIA:
        return CRITERIA[given]
    if callable(given):
        return Function(given)
    raise UsageError(f"criterion must be {', '.join(CRITERIA)} or a callable, got {given!r}")

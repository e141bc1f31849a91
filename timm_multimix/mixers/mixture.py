"""The mixers of a spec together: for MixTask, or called instead of timm.data.Mixup."""

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ..errors import UsageError
from ..functional import soft_targets
from ..functional.draws import as_floating
from ..functional.labels import as_values, check_range, check_rows
from ..notebook import table_html
from ..randomness import choice_generator, derive_seed, draw_generator, rank
from .arguments import as_usage_error, count, fraction, whole
from .mixer import Context
from .spec import parse_spec
from .step import Branches, Step, choose_branch


class Mixture:
    """Weighted steps: `choose` picks one for a batch, and a call mixes a batch of images.

    `step` counts the calls, and all randomness is a function of (seed, rank, step); in a worker of a
    DataLoader, also of the worker's seed. `mixup_enabled = False` switches mixing off, as in timm.

    Args:
        branches: steps and their weights, from `parse_spec`.
        spec: the spec string.
        num_classes: number of classes; None: from the labels.
        smoothing: label smoothing, from 0 to 1.
        seed: seed of all mixing.
        multi_label: whether smoothing is towards 1/2 for every class.

    Examples:
        >>> create_mixer("mixup | cutmix", num_classes=10)
        Mixture('mixup | cutmix', num_classes=10)
    """

    def __init__(
        self,
        branches: Branches,
        spec: str,
        num_classes: int | None = None,
        smoothing: float = 0.0,
        seed: int = 0,
        multi_label: bool = False,
    ) -> None:
        self.branches, self.spec = branches, spec
        self.num_classes = None if num_classes is None else count("num_classes", num_classes)
        self.smoothing, self.seed = fraction("smoothing", smoothing), whole("seed", seed)
        self.multi_label = multi_label
        self.step, self.mixup_enabled = 0, True
        self._inferred: int | None = None  # number of classes, from the first batch's labels
        self._rank = 0  # of the process that started this one, which knows no rank of its own

    def __getstate__(self) -> dict[str, Any]:
        """Give a worker process, which is started anew, the rank."""
        return self.__dict__ | {"_rank": rank() or self._rank}

    def __repr__(self) -> str:
        chosen = {"num_classes": self.num_classes, "smoothing": self.smoothing, "seed": self.seed}
        return f"Mixture({', '.join([repr(self.spec), *(f'{k}={v}' for k, v in chosen.items() if v)])})"

    def _repr_html_(self) -> str:
        """Return a row for each step that can be chosen, for notebooks."""
        rows = [[f"{share:.0%}", step.name, _settings(step)] for share, step in self.branches]
        return table_html(self.spec, ["share of the steps", "step", "arguments"], rows)

    def choose(self, generator: torch.Generator) -> Step:
        """Choose the step for one batch, with a layer for each of its mixers that has several.

        Args:
            generator: source of the choice.
        """
        return choose_branch(self.branches, generator)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix images, as timm.data.Mixup does.

        Args:
            images: [b, ch, h, w].
            labels: class indices [b] or targets [b, c].

        Returns:
            Mixed images [b, ch, h, w] and soft targets [b, c].

        Raises:
            UsageError: a mixer of the spec does not work at the input, or labels are not of a class; on an
                accelerator the values of labels are checked in the first call only.
        """
        self.check_input_only(": use MixTask")
        targets = self._targets(images, labels)
        images = as_floating(images)  # also where nothing is mixed: one dtype for all batches
        if not self.mixup_enabled:
            return images, targets
        worker = get_worker_info()
        above = (self._rank,) if self._rank and not rank() else ()
        seed = self.seed if worker is None else derive_seed(self.seed, worker.seed, *above)
        mixer = self.choose(choice_generator(seed, self.step)).mixer
        generator = draw_generator(seed, self.step, images.device)
        draw = mixer.sample(images, Context(generator, as_values(labels, targets.shape[1])))
        self.step += 1
        return draw(images), draw.targets(targets)

    def check_input_only(self, advice: str = "") -> None:
        """Check that every step is one mixer of images, without a model.

        Args:
            advice: appended to the message.

        Raises:
            UsageError: a step is left out, is a sum or a chain, is not at the input, or is guided by the
                model.
        """
        for _, step in self.branches:
            if not step.is_plain:
                raise UsageError(f"{step.name} is not one mixer of images{advice}")
            if step.mixer.place != "input":
                raise UsageError(f"{step.name} must mix at 'input', got place {step.mixer.place!r}{advice}")
            if step.mixer.guided:
                raise UsageError(
                    f"{step.name} is guided by the model{advice}; it must be a mixer that is not"
                )

    def _targets(self, images: Tensor, labels: Tensor) -> Tensor:
        with as_usage_error():
            check_rows(images, labels)
            classes = self._classes(labels)
            if self.step == 0:
                check_range(labels, classes)
            return soft_targets(labels, classes, self.smoothing, self.multi_label)

    def _classes(self, labels: Tensor) -> int:
        if self.num_classes is not None:
            return self.num_classes
        if labels.dim() == 2:
            if labels.shape[1] == 1 and not labels.is_floating_point():
                raise UsageError("class indices must have shape [b], got [b, 1]")
            return labels.shape[1]
        if self._inferred is None:
            low, high = (int(value) for value in labels.long().aminmax())
            if labels.is_floating_point() or low < 0 or high == 0:
                raise UsageError(
                    "num_classes must be given where the first batch does not tell it (1 for values of a "
                    f"regression), got labels {labels.dtype} from {low} to {high}"
                )
            self._inferred = high + 1
            message = f"num_classes not given: taken as {self._inferred} from the first batch's labels"
            warnings.warn(message, stacklevel=4)
        return self._inferred


def _settings(step: Step) -> str:
    """Return the places and arguments of a step's mixers."""
    return "; ".join(
        ", ".join([f"at {mixer.place}", *(f"{name}={value}" for name, value in mixer.arguments.items())])
        for mixer in step.mixers
    )


def create_mixer(
    spec: str,
    *,
    num_classes: int | None = None,
    smoothing: float = 0.0,
    seed: int = 0,
    multi_label: bool = False,
) -> Mixture:
    """Create the mixers of a spec string, such as `multimix` or `0.3*none | 0.7*multimix(n=2000)`.

    `|` chooses for every batch, `+` adds losses in one step (`none + mixup(alpha=10)`), `>>` mixes again what
    is already mixed, deeper in the network (`cutmix >> multimix(m=4, p=1)`), `skip` leaves a step out
    (`0.5*mixup | 0.5*skip`). The result is for `MixTask`; if all its mixers work on images it also replaces
    timm.data.Mixup, whose arguments docs/guide.md shows as specs.

    Args:
        spec: the spec string.
        num_classes: number of classes, for calls instead of timm.data.Mixup; None: from the labels.
        smoothing: label smoothing of these calls, from 0 to 1.
        seed: seed of these calls.
        multi_label: whether smoothing is towards 1/2 for every class.

    Raises:
        UsageError: not a spec, or an unknown mixer, argument or value.

    Examples:
        >>> mixer = create_mixer("mixup(alpha=0.8) | cutmix", num_classes=10, smoothing=0.1)
        >>> images, targets = mixer(torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]))
        >>> targets.shape
        torch.Size([4, 10])
    """
    return Mixture(parse_spec(spec), spec, num_classes, smoothing, seed, multi_label)

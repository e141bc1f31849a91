"""The mixers of a spec string together: chosen from by MixTask, or called in the place of timm.data.Mixup."""

import warnings

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ..errors import UsageError
from ..functional import soft_targets
from ..functional.labels import as_values, check_range, check_rows
from ..notebook import table_html
from ..randomness import choice_generator, derive_seed, draw_generator
from .arguments import as_usage_error, count, fraction, whole
from .mixer import Context
from .spec import parse_spec
from .step import Branches, Step, choose_branch


class Mixture:
    """Weighted steps. `choose` picks one for a batch; a call mixes a batch of images.

    Calls are counted in `step`, and all randomness is a function of (seed, rank, step); in a worker of a
    DataLoader, of the worker's seed as well. `mixup_enabled = False` switches mixing off, as in timm.
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
        self._inferred: int | None = None  # the number of classes, where none was given

    def __repr__(self) -> str:
        chosen = {"num_classes": self.num_classes, "smoothing": self.smoothing, "seed": self.seed}
        return f"Mixture({', '.join([repr(self.spec), *(f'{k}={v}' for k, v in chosen.items() if v)])})"

    def _repr_html_(self) -> str:
        """A row for each step that is chosen from, for notebooks."""
        rows = [[f"{share:.0%}", step.name, _settings(step)] for share, step in self.branches]
        return table_html(self.spec, ["share of the steps", "step", "arguments"], rows)

    def choose(self, generator: torch.Generator) -> Step:
        """The step for one batch, each of its mixers with its layer if it has several to choose from."""
        return choose_branch(self.branches, generator)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images [b, ch, h, w] and soft targets [b, c], from labels [b] or [b, c].

        Raises:
            UsageError: a mixer of the spec does not work at the input, or the labels are of no class. What
                labels of an accelerator are is looked at in the first call only.
        """
        self.check_input_only(": use MixTask")
        targets = self._targets(images, labels)
        if not self.mixup_enabled:
            return images, targets
        worker = get_worker_info()
        seed = self.seed if worker is None else derive_seed(self.seed, worker.seed)
        mixer = self.choose(choice_generator(seed, self.step)).mixer
        generator = draw_generator(seed, self.step, images.device)
        draw = mixer.sample(images, Context(generator, as_values(labels, targets.shape[1])))
        self.step += 1
        return draw(images), draw.targets(targets)

    def check_input_only(self, advice: str = "") -> None:
        """Check that images alone are mixed, by themselves; `advice` follows what is wrong.

        Raises:
            UsageError: a step is left out, a sum or a chain, is not at the input, or is guided by the model.
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
            self._inferred = int(labels.max()) + 1
            message = f"num_classes not given: taken as {self._inferred} from the first batch's labels"
            warnings.warn(message, stacklevel=4)
        return self._inferred


def _settings(step: Step) -> str:
    """The places and arguments of a step's mixers."""
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
    """The mixers of a spec string, such as `multimix`, `mixup | cutmix`, `0.3*none | 0.7*multimix(n=2000)`.

    `|` chooses for every batch, `+` adds losses in one step (`none + mixup(alpha=10)`), `>>` mixes what is
    mixed already, deeper in the network (`cutmix >> multimix(m=4, p=1)`), `skip` leaves a step out
    (`0.5*mixup | 0.5*skip`).

    num_classes, smoothing, seed and multi_label are for calls in the place of timm.data.Mixup: `images,
    soft = mixer(images, labels)`. There is no smoothing unless asked for; with multi_label it is towards 1/2
    for every class. docs/guide.md has timm's arguments as specs.

    Raises:
        UsageError: not a spec, or an unknown mixer, argument or value.
    """
    return Mixture(parse_spec(spec), spec, num_classes, smoothing, seed, multi_label)

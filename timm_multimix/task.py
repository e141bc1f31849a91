"""MixTask: a model, its mixers, loss and teacher as one timm training task."""

import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy

from ._compat.timm import TrainingTask
from .distill import Teacher, create_teacher, predictions, teacher_logits
from .errors import UsageError
from .functional import Identity, soft_targets
from .functional.criteria import AnyCriterion, Criterion, find_criterion
from .functional.labels import check_range, check_rows
from .mixers import Mixture, Step, create_mixer
from .notebook import facts_html
from .objective import objective, sum_of_losses
from .randomness import choice_generator, draw_generator
from .schedule import MixSchedule, parse_schedule
from .sites.eval_mode import undisturbed
from .sites.student import Mixed, Student
from .task_arguments import (
    check_mixture,
    check_model,
    check_objective,
    check_outputs,
    check_schedule,
    check_seed,
    check_teacher,
)


class MixTask(TrainingTask):
    """A timm training task that mixes: `task(images, labels)` returns loss, output and target.

    All randomness is a function of (seed, rank, `step`). `step` is in the state dict, so training resumes
    exactly. With gradient checkpointing and a mixer of hidden layers, `backward` must come before the next
    call.

    Args:
        model: maps images to logits (or to an object with `.logits`); a timm model for mixing at `hidden` by
            stage number and at `positions`.
        mix: a mixer spec, or the result of `create_mixer`.
        criterion: softmax, sigmoid or mse; a callable (logits, soft targets); or
            `functional.HardPairs(criterion)` for a criterion that only accepts class indices.
        smoothing: label smoothing, from 0 to 1.
        distill: weight g of the teacher's targets: the loss is (1 - g) loss(labels) + g loss(teacher).
        teacher: `ema`, updated by `update_ema`; `self`, the model's own clean prediction, which costs a pass
            only if the step has none; a module; or the name of a pretrained timm model. Where both models
            have a `pretrained_cfg`, images are converted from the model's mean and std to the teacher's.
        seed: seed of all mixing.
        distill_warmup: training calls over which the weight of the teacher rises linearly.
        schedule: when mixing is on, such as `0-0.9`: a share of training; see `schedule.parse_schedule`.
        total_steps: number of training calls in all, for `schedule`.
        device: as in timm's TrainingTask.
        dtype: as in timm's TrainingTask.
        verbose: as in timm's TrainingTask.

    Raises:
        UsageError: a value that is not allowed.

    Examples:
        >>> model = timm.create_model("test_resnet", num_classes=10)
        >>> task = MixTask(model, mix="multimix", smoothing=0.1)
        >>> task(torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]))["loss"].backward()
    """

    def __init__(
        self,
        model: nn.Module,
        mix: str | Mixture = "none",
        *,
        criterion: AnyCriterion = "softmax",
        smoothing: float = 0.0,
        distill: float = 0.0,
        teacher: str | nn.Module = "ema",
        seed: int = 0,
        distill_warmup: int = 0,
        schedule: str | MixSchedule | None = None,
        total_steps: int | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(device=device, dtype=dtype, verbose=verbose)
        check_model(model)
        check_objective(criterion, smoothing, distill)
        check_schedule(schedule, total_steps)
        check_teacher(teacher, distill, distill_warmup)
        check_seed(seed)
        self.mixture = check_mixture(mix) if isinstance(mix, Mixture) else create_mixer(mix)
        self.criterion, self.smoothing = criterion, smoothing
        self.criterion_module = find_criterion(criterion).module
        self.distill, self.distill_warmup = distill, distill_warmup
        self.schedule = parse_schedule(schedule) if isinstance(schedule, str) else schedule
        self.total_steps, self.seed, self.step = total_steps, int(seed), 0
        mixers = [mixer for _, step in self.mixture.branches for mixer in step.mixers]
        self.student: nn.Module = Student(model, mixers, criterion)
        self._first_checked = False
        self._may_skip = any(not step.terms for _, step in self.mixture.branches)
        self.teacher_kind = teacher if teacher in ("ema", "self") else "model"
        self.teacher: Teacher | None = None
        self._ema_calls, self._ema_updates = 0, 0
        if distill and self.teacher_kind == "ema":
            self.setup_ema(decay=0.999, use_warmup=True)
        elif distill and self.teacher_kind == "model":
            self.teacher = create_teacher(teacher, self.trainable_module)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings().items())
        return f"MixTask({self._model_in_words()}, {settings})"

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        return facts_html("MixTask", {"model": self._model_in_words(), **self._settings()})

    def _settings(self) -> dict[str, Any]:
        """Return the arguments that are in effect, by name."""
        targets = {"smoothing": self.smoothing, "distill": self.distill}
        taught = {"teacher": self.teacher_kind, "distill_warmup": self.distill_warmup} if self.distill else {}
        when = {"schedule": self.schedule and str(self.schedule), "seed": self.seed}
        chosen = {**targets, **taught, **when}
        return {"mix": self.mixture.spec, "criterion": self._criterion.name} | {
            name: value for name, value in chosen.items() if value
        }

    def _model_in_words(self) -> str:
        model = self.trainable_module
        millions = sum(each.numel() for each in model.parameters() if not is_lazy(each)) / 1e6
        return f"<{type(model).__name__} of {millions:.3g} M parameters>"

    @property
    def _criterion(self) -> Criterion:
        # Looked up each time: a criterion that is a module stays an attribute, moved and saved with the task.
        return find_criterion(self.criterion)

    @property
    def trainable_module(self) -> nn.Module:
        """The model itself, outside of any wrapper."""
        return self._unwrapped.model

    @property
    def _unwrapped(self) -> Student:
        student = self.student.module if isinstance(self.student, DistributedDataParallel) else self.student
        assert isinstance(student, Student)
        return student

    def forward(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the loss of one batch. In eval mode nothing is mixed, smoothed or distilled.

        Args:
            input: images [b, ...].
            target: labels: class indices [b] or targets [b, c].

        Returns:
            loss: a scalar. output [rows, c]: the logits, of the mixed examples if the network saw mixed ones.
            target [rows, c]: the targets of `output`.

        Raises:
            ValueError: labels of another shape or number, or of no class. On an accelerator the values of
                labels are checked in the first training step only, so that later steps do not wait for it.
            UsageError: a model of one output with softmax, or of another number than the mixture's classes.
        """
        check_rows(input, target)
        if not self.training:
            output = self._unwrapped.logits(input)
            targets = soft_targets(target, output.shape[-1])
            return {"loss": self._criterion.loss(output, targets), "output": output, "target": targets}
        return self._training_step(input, target)

    # Everything that changes from step to step stays outside of torch.compile, to avoid recompilation.
    @partial(torch.compiler.disable, recursive=False)
    def _training_step(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        criterion = self._criterion
        if criterion.hard and labels.dim() != 1:
            raise UsageError(
                f"labels must be class indices [b] with {criterion.name}, got {list(labels.shape)}"
            )
        # The choice is a function of (seed, step), equal on all ranks, so that all run the same passes.
        step = self.choose_step(self.step)
        if not step.terms:
            self.skip()
            return self._left_out(labels)
        mixed = self.student(images, step, self._generator(images), labels)
        if not self._first_checked:
            self._check_first(labels, mixed[0].output.shape[-1])
        weight = self._distill_weight()
        taught = self._taught(mixed, images) if weight else [None] * len(mixed)
        parts = [
            objective(each, labels, criterion, self.smoothing, by_teacher, weight)
            for each, by_teacher in zip(mixed, taught, strict=True)
        ]
        loss = sum_of_losses([term.weight for term in step.terms], [loss for loss, _ in parts])
        self.step += 1
        return {"loss": loss, "output": mixed[0].output, "target": parts[0][1]}

    def _check_first(self, labels: Tensor, outputs: int) -> None:
        """Check what only the logits tell, in the first step alone: later ones do not wait for it."""
        if not self.trainable_module.training:
            warnings.warn("the model is in eval mode while the task trains: call task.train()", stacklevel=4)
        check_outputs(outputs, criterion=self._criterion, mixture=self.mixture)
        check_range(labels, outputs)
        self._first_checked = True

    def _replicate_for_data_parallel(self) -> NoReturn:
        # Replicas would count no steps, so that all of them drew the same.
        raise UsageError("MixTask must be in DistributedDataParallel for several devices, got DataParallel")

    def skips(self, ahead: int = 0) -> bool:
        """Return whether a training call will be a step to leave out.

        Such a call returns a loss without gradient. A loop may also ask first, call `skip` instead, and omit
        the optimizer's step; with gradients set to None, torch's optimizers do nothing anyway. With a
        GradScaler it must, as that refuses a step without gradients.

        Args:
            ahead: 0 for the next training call, k for the k-th after it.
        """
        return self._may_skip and not self.choose_step(self.step + ahead).terms

    def skip(self) -> None:
        """Leave a step out; randomness and schedule advance as if it had been made."""
        self.step += 1

    def _left_out(self, labels: Tensor) -> dict[str, Tensor]:
        """Return a zero loss, and output and target without rows."""
        classes = getattr(self.trainable_module, "num_classes", None) or 1
        rows = torch.zeros(0, classes, device=labels.device)
        # requires_grad, so that a loop which calls backward() on it needs no special case
        loss = torch.zeros((), device=labels.device, requires_grad=True)
        return {"loss": loss, "output": rows, "target": rows}

    @torch.compiler.disable
    def choose_step(self, step: int) -> Step:
        """Return the mixers of a step: those of the mixture, or none where it or the schedule is off."""
        # stays below 1 after total_steps, so that a window up to 1 stays on
        progress = min(step / (self.total_steps or 1), _ALMOST_ONE)
        scheduled = self.schedule is None or self.schedule.active(progress)
        if not (scheduled and self.mixture.mixup_enabled):
            return _OFF.branches[0][1]
        return self.mixture.choose(choice_generator(self.seed, step))

    @torch.compiler.disable
    def _generator(self, images: Tensor) -> torch.Generator:
        return draw_generator(self.seed, self.step, images.device)

    @torch.compiler.disable
    def _distill_weight(self) -> float:
        return self.distill * min(1.0, (self.step + 1) / self.distill_warmup if self.distill_warmup else 1.0)

    def _taught(self, mixed: tuple[Mixed, ...], images: Tensor) -> Sequence[Tensor | None]:
        """Return the teacher's targets of the clean images for each term: [b, c], or dense [r, b, c]."""
        if self.teacher_kind == "self":
            return [self._predicted(logits) for logits in self._own_logits_of(mixed, images)]
        positions = [len(each.logits) if each.logits.dim() == 3 else None for each in mixed]
        logits = {number: self._teacher_logits(images, number) for number in dict.fromkeys(positions)}
        return [self._predicted(logits[number]) for number in positions]

    def _predicted(self, logits: Tensor) -> Tensor:
        return predictions(logits, self._criterion)

    def _teacher_logits(self, images: Tensor, positions: int | None) -> Tensor:
        if self.teacher is not None:
            return self.teacher(images, positions)
        return teacher_logits(self._ema_model(), images, positions)

    def _own_logits_of(self, mixed: tuple[Mixed, ...], images: Tensor) -> list[Tensor]:
        """Return the model's own logits: from this step's pass over clean images, or from another pass."""
        clean = next((each.output for each in mixed if isinstance(each.seen, Identity)), None)
        if clean is None:
            clean = self._own_logits(images)
        own = [isinstance(each.seen, Identity) and not each.gathered for each in mixed]
        return [each.logits if here else clean for each, here in zip(mixed, own, strict=True)]

    @partial(torch.compiler.disable, recursive=False)
    def _own_logits(self, images: Tensor) -> Tensor:
        """Return the model's logits as in evaluation, without a change of its batch statistics."""
        with undisturbed(self.trainable_module, images.device):
            return self._unwrapped.logits(images)

    @torch.compiler.disable
    def _ema_model(self) -> nn.Module:
        if self._ema_calls and not self._ema_updates:
            raise RuntimeError(
                "the EMA teacher was never updated: call task.update_ema(step) after optimizer.step(); "
                "if gradients are accumulated over several calls, also task.update_ema(0) at the start"
            )
        self._ema_calls += 1
        return self.trainable_module_ema.module

    def setup_ema(self, *args: Any, **kwargs: Any) -> ModelEmaV3:
        """Create the exponential moving average of the model, frozen.

        Args:
            *args: as timm's ModelEmaV3 takes them.
            **kwargs: as timm's ModelEmaV3 takes them.

        Returns:
            The average.
        """
        average = super().setup_ema(*args, **kwargs)
        assert isinstance(average, ModelEmaV3)
        return average.requires_grad_(False)

    def update_ema(self, step: int | None = None) -> None:
        """Update the moving average after an optimizer step.

        Args:
            step: number of the step; 0 copies the model.
        """
        self._ema_updates += 1
        super().update_ema(step)

    def train(self, mode: bool = True) -> "MixTask":
        """Set the training mode of the model; its average and its teacher stay in eval mode.

        Args:
            mode: whether to train.
        """
        super().train(mode)
        if self.has_ema():
            self.trainable_module_ema.eval()
        return self

    def compile(  # type: ignore[override]
        self, backend: str = "inductor", mode: str | None = None, **kwargs: Any
    ) -> nn.Module:
        """Compile the passes through the model; call it before wrapping for distributed training.

        Args:
            backend: as in torch.compile.
            mode: as in torch.compile.
            **kwargs: other arguments of torch.compile.

        Returns:
            The compiled model, for evaluation.
        """
        # Kept out of the module tree: as a submodule it would duplicate every parameter in the state dict.
        compiled = self._unwrapped.compile_calls(backend=backend, mode=mode, **kwargs)
        self.__dict__["eval_model"] = compiled
        return compiled

    def prepare_distributed(self, device_ids: list[int] | None = None, **ddp_kwargs: Any) -> "MixTask":
        """Wrap the mixed forward pass in DistributedDataParallel, for loops that do not use Accelerate.

        Args:
            device_ids: as in DistributedDataParallel.
            **ddp_kwargs: other arguments of DistributedDataParallel.
        """
        self.student = DistributedDataParallel(self.student, device_ids=device_ids, **ddp_kwargs)
        return self

    def no_sync(self) -> AbstractContextManager[None]:
        """Return a context without gradient synchronization, for accumulation after `prepare_distributed`."""
        return self.student.no_sync() if isinstance(self.student, DistributedDataParallel) else nullcontext()

    def get_extra_state(self) -> Tensor:
        """Return what a state dict keeps besides parameters: the step and the number of EMA updates."""
        return torch.tensor([self.step, self._ema_updates])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the result of `get_extra_state`.

        Args:
            state: the state.
        """
        self.step, self._ema_updates = map(int, state)

    def get_task_state(self, module: nn.Module | None = None, ema: bool = False) -> dict[str, Any]:
        """Return what timm's checkpoints keep besides the weights: the step, which determines all randomness.

        Args:
            module: as in timm's TrainingTask; not used.
            ema: whether the state is that of the average, which is empty.
        """
        return {} if ema else {"step": self.step, "ema_updates": self._ema_updates}

    def load_task_state(
        self,
        state: dict[str, Any] | None,
        strict: bool = True,
        module: nn.Module | None = None,
        ema: bool = False,
    ) -> None:
        """Restore the result of `get_task_state`.

        Args:
            state: the state; None or empty: nothing is restored.
            strict: as in timm's TrainingTask; not used.
            module: as in timm's TrainingTask; not used.
            ema: whether the state is that of the average, which is empty.
        """
        if state and not ema:
            self.step, self._ema_updates = state["step"], state["ema_updates"]


_OFF = create_mixer("none")
_ALMOST_ONE = math.nextafter(1.0, 0.0)

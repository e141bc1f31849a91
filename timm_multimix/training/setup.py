"""The parts of a run, created from its options before anything is written."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from timm.scheduler.scheduler import Scheduler

from ..data.cache import CachedLoader
from ..data.description import Description, describe_data
from ..data.given_loader import GivenLoader
from ..data.loader import ImageLoader
from ..data.noise import add_label_noise
from ..data.splits import Splits
from ..modeling.create import adopt_model, create_model, describe_input, resolve_data_config, try_out
from ..options import TrainOptions, fill_defaults
from ..records.tasks import CLASSIFICATION
from ..task import MixTask
from .checks import check_classes, check_names, check_one_class, check_targets
from .defaults import suit_model
from .finetune import fit_head_and_body, init_head
from .given import Given, fit_to_tensors
from .loaders import Stream, create_memorization, create_streams
from .norms import check_lone_images, share_norms
from .optimization import create_optimizer, create_scheduler
from .sharding import is_sharded, shard_like
from .task import create_task, fit_average_to_shards


@dataclass
class Setup:
    """The parts of a run. `task` is plain; `wrapped` is accelerate's wrapper of it, for training steps."""

    options: TrainOptions
    accelerator: Accelerator
    splits: Splits
    data: Description
    data_config: dict[str, Any]
    model: torch.nn.Module
    task: MixTask
    wrapped: torch.nn.Module
    optimizer: AcceleratedOptimizer
    scheduler: Scheduler | None
    train: Stream
    evaluation: ImageLoader | CachedLoader | GivenLoader
    epochs: int

    memorization: Stream | None = None  # the training images as in evaluation, with --label-noise

    def close(self) -> None:
        """End the DataLoader workers."""
        for stream in filter(None, (self.train, self.memorization)):
            stream.loader.close()
        self.evaluation.close()

    @property
    def layout(self) -> torch.memory_format:
        """The memory layout of images."""
        return torch.channels_last if self.options.network.channels_last else torch.contiguous_format

    def predict(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return logits [b, c] by the wrapped task in eval mode."""
        return self.wrapped(images, labels)["output"]

    def models(self) -> dict[str, torch.nn.Module]:
        """The models: `raw`, and `ema` if a moving average is kept."""
        return {"raw": self.model} | (
            {"ema": self.task.trainable_module_ema.module} if self.task.has_ema() else {}
        )

    def weights(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers of all models, by `raw.NAME` and `ema.NAME`."""
        return {
            f"{kind}.{k}": v for kind, model in self.models().items() for k, v in model.state_dict().items()
        }

    def buffers(self) -> dict[str, torch.Tensor]:
        """The buffers in `weights`, which differ between processes."""
        names = {
            f"{kind}.{name}" for kind, model in self.models().items() for name, _ in model.named_buffers()
        }
        return {name: value for name, value in self.weights().items() if name in names}

    @torch.no_grad()
    def load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        """Copy tensors into the `weights` of these names."""
        weights = self.weights()
        for name, value in tensors.items():
            weights[name].copy_(shard_like(value, weights[name]))

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Restore the optimizer; tensors shaped like a sharded parameter are sharded like it."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for index, entries in state["state"].items():
            for name, value in entries.items():
                if isinstance(value, torch.Tensor) and value.shape == parameters[index].shape:
                    entries[name] = shard_like(value, parameters[index])
        self.optimizer.load_state_dict(state)


def build(options: TrainOptions, accelerator: Accelerator, given: Given) -> Setup:
    """Create all parts of a run from options and given objects; nothing is written.

    Raises:
        UsageError: an option that cannot work.
    """
    network, data = options.network, options.data
    given.check(network.model, data.dataset)
    check_names(None if given.model is not None else network, options.mixing, options.optimization.opt)
    seed = options.run.seed
    clean = splits = given.splits(data, network.num_classes)
    options = fill_defaults(options, splits.defaults)
    fitting = fit_to_tensors(splits.train)
    options = options.but(**{name: fitting[name] for name in fitting.keys() - options.given})
    if splits.task != CLASSIFICATION:
        options = options.but(task=splits.task)  # recorded, so that any split is read alike
    network, data, schedule = options.network, options.data, options.schedule
    check_classes(network.num_classes, data.dataset, splits)
    check_targets(options.mixing, data.dataset, splits.task)
    if given.model is None:
        check_one_class(options.mixing, network.num_classes, data.dataset, splits)
    if data.label_noise:
        splits = add_label_noise(splits, data.dataset, data.label_noise, data.label_noise_kind, seed)
    torch.manual_seed(seed)
    model = adopt_model(network, given.model) or create_model(network, len(splits.class_names))
    model = share_norms(model, network, accelerator)
    batch_size, processes = data.loading.batch_size, accelerator.num_processes
    optimization = suit_model(options.optimization, batch_size, model, processes)
    options = replace(options, optimization=optimization)
    fit_head_and_body(
        model, splits.class_names, pretrained=network.pretrained, freeze=optimization.freeze_body
    )
    init_head(model, network.head_init_scale, network.head_init_bias)
    data_config = resolve_data_config(network.model, network.input, model)
    describe_input(model, data_config)
    outputs = try_out(network.model, model, data_config)
    if given.model is not None:
        check_classes(outputs, data.dataset, splits)
    train, evaluation = create_streams(data, options.augmentation, seed, accelerator, splits, data_config)
    check_lone_images(
        model,
        network.model,
        data_config["input_size"],
        train,
        batch_size=batch_size,
        frozen_body=optimization.freeze_body,
        processes=processes,
    )
    description = describe_data(data.dataset, clean, train.dataset, evaluation.dataset)
    memorization = create_memorization(data, accelerator, train.dataset, evaluation.dataset.transform)
    optimizer = create_optimizer(optimization, model, scheduled=schedule.sched != "none")
    updates = train.updates(optimization.grad_accum_steps)
    scheduler, epochs = create_scheduler(schedule, optimization.epochs, optimizer, updates)
    task = create_task(
        options.mixing,
        options.averaging,
        model,
        seed=seed,
        steps=epochs * len(train.batches),
        epoch_steps=len(train.batches),
        task=splits.task,
        backend=network.torchcompile,
    )
    wrapped, prepared = accelerator.prepare(task, optimizer)
    if is_sharded(model):
        fit_average_to_shards(options.averaging, task)
    return Setup(
        options,
        accelerator,
        splits,
        description,
        data_config,
        model,
        task,
        wrapped,
        prepared,
        scheduler,
        train,
        evaluation.loader,
        epochs,
        memorization,
    )

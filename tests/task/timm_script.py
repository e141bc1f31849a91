"""A minimal training script of the form of timm's train.py: task, prefetcher, EMA, resume.

It is written for the tests, which apply examples/timm_train.patch to it and run the result.
"""

import argparse
from pathlib import Path

import timm
import torch
from timm import utils
from timm.data.loader import PrefetchLoader, fast_collate
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.task import (
    ClassificationTask,
    load_task_ema_checkpoint,
    resume_task_checkpoint,
)


class Images(torch.utils.data.Dataset):
    """64 images of 8 bits and their labels."""

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = torch.randint(256, (3, 32, 32), generator=generator, dtype=torch.uint8)
        return image.numpy(), index % 5

    def __len__(self):
        return 64


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="test_resnet")
    parser.add_argument("--output", required=True)
    parser.add_argument("--resume", default="")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    parser.set_defaults(rank=0, local_rank=0)  # as timm sets them where there is one process
    return parser.parse_args(argv)


def create_loader(epoch, device):
    """The training images in an order of the epoch's, normalised on the device."""
    order = torch.Generator().manual_seed(epoch)
    loader = torch.utils.data.DataLoader(
        Images(), batch_size=16, shuffle=True, generator=order, collate_fn=fast_collate
    )
    return PrefetchLoader(loader, device=device)


def main(argv):
    args, device, model_dtype = parse(argv), torch.device("cpu"), torch.float32
    torch.manual_seed(0)
    model = timm.create_model(args.model, num_classes=5)
    train_loss_fn = LabelSmoothingCrossEntropy(smoothing=args.smoothing)
    if args.smoothing < 0:
        raise ValueError("no such smoothing")
    else:
        # Standard classification task
        task = ClassificationTask(
            model=model,
            criterion=train_loss_fn,
            device=device,
            dtype=model_dtype,
            verbose=utils.is_primary(args),
        )
    model = task.get_trainable_module()
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.05, momentum=0.9)
    first = 0
    if args.resume:
        first = resume_task_checkpoint(task, args.resume, optimizer=optimizer, log_info=False)
    task.setup_ema(decay=0.9)
    if args.resume:
        load_task_ema_checkpoint(task, args.resume)
    Path(args.output).mkdir(parents=True, exist_ok=True)
    saver = utils.CheckpointSaver(
        model=model,
        optimizer=optimizer,
        args=args,
        checkpoint_dir=args.output,
        recovery_dir=args.output,
        task=task,
    )
    for epoch in range(first, args.epochs):
        train_one_epoch(epoch, task, create_loader(epoch, device), optimizer)
        saver.save_checkpoint(epoch)
    return task


def train_one_epoch(epoch, task, loader, optimizer):
    task.get_trainable_module().train()
    updates = epoch * len(loader)
    optimizer.zero_grad()
    for input, target in loader:
        loss = task(input, target)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        updates += 1
        task.update_ema(step=updates)

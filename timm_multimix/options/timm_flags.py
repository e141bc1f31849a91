"""The flags of timm's train.py: which are the same here, and replacements for the others.

`timm_flags.tsv` has all of them, one a line: name, timm's default as JSON, kind, and a text that says what is
different here, or what to do instead. The names are those of timm at commit aa4b5850 (1.0.29.dev0).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Kind = Literal["same", "alias", "accelerate", "absent"]

HUGGING_FACE = {
    "dataset_name": "dataset",
    "dataloader_num_workers": "workers",
    "gradient_accumulation_steps": "grad_accum_steps",
    "gradient_checkpointing": "grad_checkpointing",
    "image_column_name": "image_column",
    "label_column_name": "label_column",
    "label_smoothing_factor": "smoothing",
    "learning_rate": "lr",
    "logging_steps": "log_interval",
    "lr_scheduler_type": "sched",
    "max_grad_norm": "clip_grad",
    "model_name_or_path": "model",
    "num_train_epochs": "epochs",
    "num_workers": "workers",
    "optim": "opt",
    "optimizer": "opt",
    "output_dir": "output",
    "overwrite_output_dir": "overwrite",
    "per_device_eval_batch_size": "validation_batch_size",
    "per_device_train_batch_size": "batch_size",
    "report_to": "log_with",
    "resume_from_checkpoint": "resume",
    "save_steps": "checkpoint_interval",
    "scheduler": "sched",
    "train_val_split": "val_split",
    "verbose": "log_level",
    "warmup_steps": "warmup_epochs",
    "warmup_ratio": "warmup_epochs",
    "wd": "weight_decay",
}
"""Names of transformers' arguments and of common scripts, and the options that they are here."""

_PRECISION = "`accelerate launch --mixed_precision fp16` (or bf16)"
_ELSEWHERE = {"fp16": _PRECISION, "bf16": _PRECISION}


@dataclass(frozen=True)
class TimmFlag:
    """A flag of timm's train.py.

    Attributes:
        name: its name in Python.
        default: timm's.
        kind: whether it is here.
        text: what is different here, or what takes its place.
    """

    name: str
    default: Any
    kind: Kind
    text: str

    @property
    def advice(self) -> str:
        """Return advice for a flag that is not available."""
        owner = "accelerate's" if self.kind == "accelerate" else "timm's"
        return f"it is {owner}; here: {self.text}"


@cache
def timm_flags() -> Mapping[str, TimmFlag]:
    """All flags of timm's train.py by name, in its order."""
    lines = files(__package__).joinpath("timm_flags.tsv").read_text("utf-8").splitlines()
    rows: list[Any] = [line.split("\t") for line in lines]
    return {name: TimmFlag(name, json.loads(default), kind, text) for name, default, kind, text in rows}


def advise(name: str) -> str | None:
    """Return a replacement for an unknown option that other trainers have; None if none has it."""
    name = name.removeprefix("--").replace("-", "_")
    if name in HUGGING_FACE:
        return f"did you mean --{HUGGING_FACE[name].replace('_', '-')}?"
    if name in _ELSEWHERE:
        return f"it is accelerate's; here: {_ELSEWHERE[name]}"
    found = timm_flags().get(name)
    return found.advice if found and found.kind in ("absent", "accelerate") else None

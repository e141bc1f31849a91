"""The trials of a comparison, one for each arm and seed, all checked before any starts."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..options import TrainOptions, options_to_dict, parse_train_options
from ..options.comparison import CompareOptions
from ..training.checks import check_names
from ..training.run_directory import find_run_directory


@dataclass(frozen=True)
class Trial:
    """A run to train: its arm, its seed, its directory, and the command line of `train`."""

    arm: str
    seed: int
    directory: Path
    argv: list[str]

    @property
    def log(self) -> Path:
        """The file of its output."""
        return self.directory.with_name(f"{self.directory.name}.log")

    @property
    def is_finished(self) -> bool:
        return (self.directory / "summary.json").is_file()

    def __str__(self) -> str:
        return f"{self.arm}, seed {self.seed}"


def plan(options: CompareOptions) -> list[Trial]:
    """Return all trials, seed by seed, so that an interrupted comparison has paired runs.

    Raises: UsageError for options that cannot work, equal arms, and directories that hold other runs.
    """
    trials = [
        make_trial(options, name, words, seed)
        for seed in range(options.seeds)
        for name, words in options.arms
    ]
    seen: dict[str, str] = {}
    for trial in trials:
        parsed = parse_train_options(trial.argv)
        if trial.seed == 0:
            check_arm(trial, parsed, seen)
        find_run_directory(parsed)
    return trials


def make_trial(options: CompareOptions, name: str, words: Sequence[str], seed: int) -> Trial:
    """Return the trial of an arm and a seed."""
    directory = options.output / directory_name(name) / f"seed{seed}"
    own = ["--seed", str(seed), "--output", str(directory), "--resume", "auto"]
    return Trial(name, seed, directory, [*options.training, *words, *own])


def check_arm(trial: Trial, parsed: TrainOptions, seen: dict[str, str]) -> None:
    """Check an arm's model, mixers and optimizer; `seen` maps the options of earlier arms to their names.

    Raises: UsageError for unknown names, for an arm like another, and for one that would be published.
    """
    check_names(parsed.network, parsed.mixing, parsed.optimization.opt)
    if parsed.hub.push_to_hub:
        raise UsageError("--push-to-hub cannot be used in a comparison; push the run that you choose")
    told = options_to_dict(parsed)
    told["seed"] = None
    key = json.dumps(told, sort_keys=True)
    if key in seen:
        raise UsageError(f"arms {seen[key]!r} and {trial.arm!r} are the same; give one of them")
    seen[key] = trial.arm


def directory_name(arm: str) -> str:
    """Return a directory name for an arm, with a digest if the name alone is ambiguous."""
    plain = re.sub(r"[^A-Za-z0-9.=-]+", "_", arm).strip("_.-")[:60]
    if re.fullmatch(r"[a-z0-9_]{1,60}", arm):
        return arm
    digest = hashlib.sha256(arm.encode()).hexdigest()[:6]
    return f"{plain}-{digest}" if plain else digest

"""Kill a training run -9 at random moments, resume it to its end, and compare it with an undisturbed one.

python -m tests.training.soak --kills 30 --output docs/soak.json
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

from tests.fakehub.environment import hub_environment
from tests.fakehub.faults import slow
from tests.fakehub.server import HubServer
from tests.finished_runs import make_pictures
from tests.training.helpers import command, outcome, updates_kept
from tests.training.marked import PHASES, Marks

PROGRAM = (str(Path(__file__).with_name("marked.py")),)
KILLED_IN = PHASES[1:]
RECIPE = """
--img-size 32 --batch-size 4 --lr 0.05 --crop-padding 2 --mix mixup|cutmix|multimix(n=20) --distill 0.5
--grad-accum-steps 2 --model-ema --epochs 12 --checkpoint-interval 2 --resume auto
"""
MOST = {"step": 30, "checkpoint": 8, "evaluation": 4, "upload": 2}
"""A phase occurs at random up to this often before a kill."""

LONGEST = {"step": 0.02, "checkpoint": 0.1, "evaluation": 0.1, "upload": 0.4}  # seconds, about
PATIENCE = 120.0  # seconds for a phase to come


class QuietHub(HubServer):
    """A Hub that ignores lost clients."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@dataclass
class Rounds:
    """One configuration in a directory of its own: runs that are killed, and one that is not."""

    directory: Path
    hub: HubServer
    processes: int
    workers: int
    kills: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0  # of the run that is being killed

    @property
    def name(self) -> str:
        return f"run-{self.number}"

    @property
    def run(self) -> Path:
        return self.directory / self.name

    def start(self, *more: str, **streams: Any) -> subprocess.Popen[Any]:
        """Start or resume training."""
        options = [*RECIPE.split(), "--dataset", self.directory / "data", "--workers", self.workers, *more]
        words, environment = command(*options, processes=self.processes, program=PROGRAM)
        own = {name: environment[name] for name in ("ACCELERATE_USE_CPU",) if name in environment}
        environment = hub_environment(self.hub, self.directory / "home") | own
        environment["MARKS"] = str(self.directory / "marks")
        return subprocess.Popen(words, env=environment, cwd=self.directory, **streams)

    def killed_run(self) -> list[str]:
        """Return the options of the run that is killed, which is published in a repository of its own."""
        return ["--output", self.name, "--push-to-hub", "--hub-model-id", f"tester/{self.name}"]

    def finish(self, *more: str) -> None:
        """Train to the end. Raises: RuntimeError with the output if that fails."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = self.start(*more, **pipes)
        said = process.communicate(timeout=600)[0]
        if process.returncode:
            raise RuntimeError(said)

    def kill_in(self, phase: str, moments: random.Random) -> bool:
        """Kill the run in a phase that has begun a random number of times; returns whether it was killed."""
        marks = Marks(self.directory / "marks")
        marks.clear()
        occurrence = moments.randrange(MOST[phase]) + 1
        process = self.start(*self.killed_run(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while marks.count(phase) < occurrence or not marks.inside(phase):
            if process.poll() is not None:
                return False  # it ended by itself: nobody was killed
            if time.monotonic() > end:
                kill_all(process)
                raise RuntimeError(f"no {phase} number {occurrence} within {PATIENCE} s")
            time.sleep(0.0005)
        delay = moments.uniform(0, LONGEST[phase])
        time.sleep(delay)
        alive = kill_all(process)
        if not alive:
            return False
        found = {"aimed_at": phase, "occurrence": occurrence, "delay": round(delay, 4)}
        found |= {"killed_in": marks.now(), "processes_killed": alive, "updates_kept": updates_kept(self.run)}
        self.kills.append(found)
        return True


def kill_all(process: subprocess.Popen[Any]) -> int:
    """Kill the launcher, all processes and their loaders at once, as when a machine goes down.

    Returns how many were alive and were killed; 0 if the run had ended by itself.
    """
    main = psutil.Process(process.pid)
    victims = [main]
    with contextlib.suppress(psutil.NoSuchProcess):
        # torchrun gives its processes sessions of their own, so killing one group would leave them running
        victims += main.children(recursive=True)
    running = 0
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            running += victim.status() != psutil.STATUS_ZOMBIE
            victim.kill()
    psutil.wait_procs(victims[1:], timeout=30)
    return running if process.wait() == -signal.SIGKILL else 0


@contextlib.contextmanager
def configured(directory: Path, processes: int, workers: int) -> Iterator[Rounds]:
    """A run in a directory of its own, and an undisturbed twin, with a Hub of their own."""
    make_pictures(directory / "data", classes=10)
    (directory / "home").mkdir()
    Marks(directory / "marks")
    with QuietHub(directory / "hub") as hub:
        hub.faults.add("POST", "*/commit/*", slow(0.3), times=1000)  # long enough to be met
        yield Rounds(directory, hub, processes, workers)


def compare(rounds: Rounds) -> None:
    """Raises: AssertionError unless the killed run comes to the same end as the undisturbed one."""
    whole, repo = rounds.directory / "whole", f"tester/{rounds.name}"
    rounds.finish(*rounds.killed_run())
    if not whole.exists():
        rounds.finish("--output", "whole")
    assert outcome(rounds.run) == outcome(whole)
    for name in ("model.safetensors", "config.json"):
        assert rounds.hub.store.repo(repo).read(name) == (whole / "model" / name).read_bytes()
    assert not list(rounds.run.rglob(".tmp-*"))


def soak(processes: int, workers: int, kills: int, seed: int) -> list[dict[str, Any]]:
    """Kill runs of one configuration, resume each to its end, and return a record of each kill."""
    moments = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as name,
        configured(Path(name), processes, workers) as rounds,
    ):
        while len(rounds.kills) < kills:
            rounds.number += 1
            while len(rounds.kills) < kills and rounds.kill_in(moments.choice(KILLED_IN), moments):
                print(rounds.kills[-1], flush=True)
            compare(rounds)  # the run is at its end, or is now brought there
            print(f"{rounds.name} ended with the same bits", flush=True)
        return [{"processes": processes, "workers": workers, "seed": seed} | kill for kill in rounds.kills]


def main() -> None:
    """Soak all configurations, or some of them, and write the record to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="in all configurations together")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/soak.json"))
    parser.add_argument("--append", action="store_true", help="to the kills that are in the file")
    options = parser.parse_args()
    configurations = [(p, w) for p in options.processes for w in options.workers]
    before = json.loads(options.output.read_text()) if options.append else {}
    kills, commands = before.get("kills", []), before.get("commands", [])
    commands.append(f"python -m tests.training.soak {' '.join(sys.argv[1:])}".strip())
    for index, (processes, workers) in enumerate(configurations):
        share = options.kills // len(configurations) + (index < options.kills % len(configurations))
        kills += soak(processes, workers, share, options.seed + index)
        write(options.output, commands, kills)


def write(path: Path, commands: list[str], kills: list[dict[str, Any]]) -> None:
    """Write the record; reached only if every resumed run ended with the same bits."""
    result = {
        "commands": commands,
        "torch": str(torch.__version__),
        "cores": os.cpu_count(),
        "kills_that_ended_the_run": len(kills),
        "killed_in": dict(Counter(kill["killed_in"] for kill in kills)),
        "resumed_to_the_same_bits": len(kills),
        "kills": kills,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

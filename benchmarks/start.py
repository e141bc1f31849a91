"""Start-up: CPU time until a command can begin, compared with importing the libraries it needs.

    python benchmarks/start.py [--beside ANOTHER_CHECKOUT]

Every repeat starts each of them once, in a process of its own. CPU time depends less than wall time on other
work of the machine. `list` prints all mixers; of `train` only the imports are measured.
"""

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import common

ROOT = Path(__file__).resolve().parents[1]
STARTS = {
    "list": ("from timm_multimix import cli; cli.main(['list'])", "import torch"),
    "train": ("import timm_multimix.training", "import torch, timm, accelerate, huggingface_hub"),
}


def processor_seconds(code: str, checkout: Path) -> float:
    """Return the CPU time of a new process that runs the code with the package of a checkout."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=checkout, stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Measure in interleaved rounds, print and keep the medians."""
    parser = common.parser(__doc__.partition("\n")[0])
    parser.add_argument("--beside", type=Path, help="another checkout, measured in the same rounds")
    options = parser.parse_args()
    checkouts = {"ours": ROOT} | ({"other": options.beside.resolve()} if options.beside else {})
    options.beside = options.beside and options.beside.name
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.repeats):
        for command, (code, libraries) in STARTS.items():
            times.setdefault((command, "libraries"), []).append(processor_seconds(libraries, ROOT))
            for who, checkout in checkouts.items():
                times.setdefault((command, who), []).append(processor_seconds(code, checkout))
    rows = []
    for command in STARTS:
        medians = {who: statistics.median(times[command, who]) for who in ("libraries", *checkouts)}
        row = {"start": command} | {f"{who} CPU s": value for who, value in medians.items()}
        rows.append(row | {"of libraries": medians["ours"] / medians["libraries"]})
    common.show(rows)
    common.keep("start", options, rows, "start", [key for key in rows[0] if key.endswith("CPU s")])


if __name__ == "__main__":
    main()

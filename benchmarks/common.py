"""Timing of candidates in interleaved repeats, with medians and ratios, kept as JSON and PNG."""

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(os.environ.get("MULTIMIX_RESULTS", Path(__file__).parent / "results"))


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks share."""
    shared = argparse.ArgumentParser(description=description)
    shared.add_argument("--device", default="cpu", help="cpu or cuda")
    shared.add_argument(
        "--repeats", type=int, default=7, help="least number of interleaved repeats; their median is reported"
    )
    shared.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads on a CPU")
    shared.add_argument("--name", help="name of the result files; default: the benchmark's and the device's")
    return shared


def start(options: argparse.Namespace) -> torch.device:
    """Set the number of threads and the seed, and return the device."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return torch.device(options.device)


# Shorter calls are repeated until a measurement takes this long, to time the steady state of a loop.
_SECONDS = 0.1
# Rounds are repeated to fill at least this time: a machine's speed drifts over seconds.
_WINDOW = 5.0


def milliseconds(
    candidates: dict[str, Callable[[], Any]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Return the median time of a call of each candidate in ms, over rounds of all candidates."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    warm = {name: _warm(run, device) for name, run in candidates.items()}
    calls = {name: math.ceil(_SECONDS / warm[name]) for name in candidates}
    round_seconds = sum(calls[name] * warm[name] for name in candidates)
    for _ in range(max(repeats, int(_WINDOW / round_seconds))):
        for name, run in candidates.items():
            times[name].append(1e3 * _seconds(run, calls[name], device))
    return {name: statistics.median(values) for name, values in times.items()}


def _warm(run: Callable[[], Any], device: torch.device) -> float:
    """Return the time of a second call, or of the first if that took more than a second."""
    first = _seconds(run, 1, device)
    return first if first > 1 else _seconds(run, 1, device)


def _seconds(run: Callable[[], Any], calls: int, device: torch.device) -> float:
    """Return the mean time of a call."""
    synchronize(device)
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    synchronize(device)
    return (time.perf_counter() - begin) / calls


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mebibytes(run: Callable[[], Any], device: torch.device) -> float:
    """Return the peak memory of a call above that before it, as counted by torch's allocator."""
    if device.type == "cuda":
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with torch.profiler.profile(
        profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]
    ) as profile:
        run()
    held, most = 0, 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most / 2**20


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table; numbers with three digits."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    for line in [columns, *cells]:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def _text(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1e3
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


def keep(
    benchmark: str, options: argparse.Namespace, rows: list[dict[str, Any]], x: str, bars: list[str]
) -> None:
    """Write the rows with the machine and the command as JSON, and the columns `bars` over `x` as PNG."""
    RESULTS.mkdir(exist_ok=True)
    name = options.name or f"{benchmark}-{options.device}"
    record = {"benchmark": benchmark, "options": vars(options), "machine": machine(options), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(RESULTS / f"{name}.png", rows, x, bars, f"{benchmark} on {machine(options)['device']}")


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """Return device, the CPU's vector instructions that torch uses, and versions of the measurement."""
    cuda = options.device != "cpu"
    device = (
        torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU, {options.threads} thread(s)"
    )
    return {
        "device": device,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def draw(path: Path, rows: list[dict[str, Any]], x: str, bars: list[str], title: str) -> None:
    """Draw a group of horizontal bars for every row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 1 + 0.22 * len(rows) * (len(bars) + 0.6)))
    height = 0.8 / len(bars)
    for k, column in enumerate(bars):
        places = [i + (k - (len(bars) - 1) / 2) * height for i in range(len(rows))]
        values = [row.get(column) or 0 for row in rows]
        drawn = axes.barh(places, values, height, label=column)
        axes.bar_label(
            drawn, labels=[_text(value) if value else "" for value in values], padding=3, fontsize=8
        )
    axes.set_yticks(range(len(rows)), [str(row[x]) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)

"""Write docs/guide.md: mixers from the registry, costs from the results here, accuracy from docs/results.

make docs
"""

import json
from pathlib import Path
from typing import Any

from timm_multimix.mixers.cards import COMBINATIONS, Card, read_cards
from timm_multimix.mixers.registry import list_mixers

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "guide.md"
RESULTS = ROOT / "benchmarks" / "results"
TEMPLATE = ROOT / "benchmarks" / "guide.template.md"


RENAMED = ("multimix_short", "multimix(m=4, p=1)")
"""A mixer's name in older results, and the spec it stood for."""


def read_results(name: str) -> dict[str, Any]:
    """Return a file of benchmarks/results, with specs of today."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text().replace(*RENAMED))
    return found


def read_steps() -> list[dict[str, Any]]:
    """Return the results of the benchmarks of training steps, one for each model."""
    files = [*sorted(RESULTS.glob("guided-*.json")), *sorted(RESULTS.glob("step-*.json"))]
    return [read_results(file.stem) for file in files]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def mixer_row(card: Card) -> list[str]:
    """Return the row of a mixer in the first table."""
    paper = f"[paper]({card.paper})" if card.paper.startswith("https") else card.paper
    return [f"`{card.name}`", card.title, card.place, card.data, card.cost, paper]


def ratios(result: dict[str, Any], kind: str = "") -> dict[str, str]:
    """Return the time of a step relative to one without mixing, by spec, for a kind of teacher."""
    named = [(row["mixer"].partition(", teacher "), row["of none"]) for row in result["rows"]]
    return {spec: f"{ratio:.2f}" for (spec, _, teacher), ratio in named if teacher == kind}


def ratio_table(head: list[str], columns: list[dict[str, str]]) -> str:
    """Return a table of ratios by spec, with a column for each model or teacher."""
    specs = dict.fromkeys(spec for found in columns for spec in found)
    return table(
        ["spec", *head], [[f"`{spec}`", *(found.get(spec, "-") for found in columns)] for spec in specs]
    )


def step_table() -> str:
    """Return the table of step times relative to no mixing, with a column for each model."""
    results = read_steps()
    columns = [{"none": "-"} | ratios(result) | {"none": spread(result)} for result in results]
    return ratio_table([describe_model(result) for result in results], columns)


def teacher_table() -> str:
    """Return the table of step times with distillation, with a column for each model and kind of teacher."""
    found = {
        f"`{result['options']['model']}`, {kind}": ratios(result, kind)
        for result in read_steps()
        for kind in result["options"].get("teachers", [])
    }
    return ratio_table(list(found), list(found.values()))


def describe_model(result: dict[str, Any]) -> str:
    """Return a column's title: a model and how it was run."""
    options, device = result["options"], result["machine"]["device"]
    return f"`{options['model']}`, {options['size']} px, batch {options['batch_size']}, {device}"


def spread(result: dict[str, Any]) -> str:
    """Return the range of times of the step without mixing, if it was measured for every row."""
    times = [row["none ms"] for row in result["rows"] if "none ms" in row]
    return f"{min(times):.0f} to {max(times):.0f} ms" if times else "-"


def input_table() -> str:
    """Return the table of times of mixup and CutMix: ours, timm's and torchvision's."""
    rows: dict[str, dict[str, float]] = {}
    for row in read_results("inputs-cpu")["rows"]:
        rows.setdefault(row["case"], {})[row["who"]] = row["ms"]
    who = list(dict.fromkeys(name for found in rows.values() for name in found))
    cells = [[f"{found[name]:.3g}" if name in found else "-" for name in who] for found in rows.values()]
    return table(["case", *who], [[case, *row] for case, row in zip(rows, cells, strict=True)])


def loss_table() -> str:
    """Return the table of the loss over tuples."""
    columns = ["b, d, c, r, n", "ours ms", "literal ms", "ours MiB", "literal MiB"]
    return measured("loss-cpu", columns)


def draw_table() -> str:
    """Return the table of drawing the weights of tuples."""
    return measured("draws-cpu", ["rows, b", "ms", "one for each, ms", "torch, ms"])


def measured(name: str, columns: list[str]) -> str:
    """Return the table of the rows of a result, of which the first column names them."""
    cells = [
        [row[columns[0]], *(f"{row[column]:.1f}" if column in row else "-" for column in columns[1:])]
        for row in read_results(name)["rows"]
    ]
    return table(columns, cells)


def accuracy_section() -> str:
    """Return the first table of the results' summary, with the text before it."""
    section = (ROOT / "docs/results/README.md").read_text(encoding="utf-8").split("\n## Summary\n")[1]
    before, _, after = section.partition("\n|")
    text = before.strip() + "\n\n|" + after.partition("\n\n")[0]
    return text.replace("](#", "](results/README.md#")


def missing(text: str) -> str:
    """Return the mixers that no code span of a text names, in order."""
    spans = [span for place, span in enumerate(text.split("`")) if place % 2]
    words = {span.partition("(")[0] for span in spans}
    return ", ".join(f"`{name}`" for name in list_mixers() if name not in words)


def make_guide() -> str:
    """Return the page."""
    head = ["name", "what it does", "place", "data", "extra cost", "paper"]
    inputs, loss, steps = read_results("inputs-cpu"), read_results("loss-cpu"), step_table()
    untimed = missing(steps)
    return TEMPLATE.read_text(encoding="utf-8").format(
        mixers=table(head, [mixer_row(card) for card in read_cards()]),
        combinations=table(
            ["spec", "meaning", "a step costs"],
            [[f"`{form}`", *told] for form, told in COMBINATIONS.items()],
        ),
        steps=steps,
        teachers=teacher_table(),
        batch=inputs["options"]["batch_size"],
        machine=inputs["machine"]["device"],
        inputs=input_table(),
        loss_machine=loss["machine"]["device"],
        loss=loss_table(),
        draw_machine=read_results("draws-cpu")["machine"]["device"],
        draws=draw_table(),
        untimed=f"Not measured: a training step of {untimed}.\n\n" if untimed else "",
        accuracy=accuracy_section(),
        unranked=missing(accuracy_section()),
    )


if __name__ == "__main__":
    GUIDE.write_text(make_guide(), encoding="utf-8")

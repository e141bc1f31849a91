"""docs/architectures.md, made from the record: python -m tests.families.page > docs/architectures.md"""

from pathlib import Path

from tests.families import members, networks, record

PATH = Path(__file__).parents[2] / "docs" / "architectures.md"

INTRODUCTION = """\
# Architectures

What each of timm's model families can do: one family for each module of timm's models, represented by its
smallest member; then models with other kinds of heads. Made with timm {timm} and torch {torch} from the
record of a test that trains each model for one step with `multimix`, `dense_multimix`, and `manifold_mixup`
at every stage. `make families` repeats the test, `make architectures` makes this page.

`multimix` works with {embedding} of {families} families, `dense_multimix` at several positions with {dense},
`manifold_mixup` at every stage with {hidden}.

- side: of the test's square images, in pixels; the smallest, from 64 on, that the model takes.
- multimix: at the embedding, with self-distillation. Identity weights give the plain loss. *exact* where
  mixed logits are those of mixed embeddings in training, in {exact} of {families} families; elsewhere the
  first step warns of what differs ([what exact means](reproducibility.md#what-exact-means-for-multimix)).
- dense_multimix: the number of positions in that image; *+ class* where class tokens make one more row of
  logits. Logits and batch statistics are those of a plain pass.
- mean: whether the mean of the positions' logits is the model's output, as it is with average pooling and a
  linear head.
- manifold_mixup: the stages of `feature_info` that it mixes at, as `layers=1` and so on. Mixing there reaches
  everything that comes later: to swap two examples at that stage is to swap their logits.

Everywhere gradients are finite and reach every parameter that the plain loss reaches.
"""
HEADER = """\
| {} | side | multimix | dense_multimix | mean | manifold_mixup |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page that the record makes."""
    known = record.load()
    rows = known["models"]
    smallest = {name: row for name, row in rows.items() if not row["extra"]}
    counts = {
        "families": len(smallest),
        "embedding": len(smallest),
        "exact": sum(not row["departures"] for row in smallest.values()),
        "dense": sum(row["positions"] > 1 for row in smallest.values()),
        "hidden": sum(not row["refused"] for row in smallest.values()),
    }
    parts = [INTRODUCTION.format(**counts, **known["versions"])]
    parts.append(HEADER.format("family: model") + "".join(line(*item) for item in smallest.items()))
    others = (line(name, row) for name, row in rows.items() if row["extra"])
    parts.append(HEADER.format("model with another head") + "".join(others))
    parts.append(refusals(rows))
    return "\n".join(part for part in parts if part)


def line(name: str, row: record.Row) -> str:
    """A row of the table."""
    label = f"{name}: {members.EXTRAS[name]}" if row["extra"] else f"{row['family']}: {name}"
    if reduced := networks.REDUCED.get(name):
        label += f" ({', '.join(f'{key} {value}' for key, value in reduced.items())}, to fit in memory)"
    dense = str(row["positions"]) if row["positions"] > 1 else "1: is multimix"
    mean = {"logits": "yes", "other": "no", "one position": ""}[row["mean_of_positions"]]
    exact = "not exact: " + ", ".join(row["departures"]) if row["departures"] else "exact"
    cells = [label, row["side"], exact, dense + " + class" * row["class_tokens"], mean, stages(row)]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def stages(row: record.Row) -> str:
    """`all 5`, or how many of them and which not."""
    count = len(row["stages"])
    numbers = [str(k) for k, name in enumerate(row["stages"], 1) if name in row["refused"]]
    return f"{count - len(numbers)} of {count}, not {', '.join(numbers)}" if numbers else f"all {count}"


def refusals(rows: dict[str, record.Row]) -> str:
    """The messages of models at stages where mixing is refused."""
    errors = [(name, error) for name, row in rows.items() for error in row["refused"].values()]
    return "Stages that are refused:\n\n" + "".join(f"- {n}: {e}\n" for n, e in errors) if errors else ""


if __name__ == "__main__":
    print(page(), end="")

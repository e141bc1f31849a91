"""Write docs/data.md: the kinds of data that `--dataset` takes, from their declarations.

make docs
"""

from pathlib import Path

from timm_multimix.data.kinds import KINDS
from timm_multimix.data.kinds.declaration import Kind
from timm_multimix.records.metrics import METRICS
from timm_multimix.records.tasks import TASKS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"

_PAGE = """# Your own data

<!-- Made by `make docs` from the declarations in timm_multimix/data/kinds and benchmarks/data_page.py. -->

`--dataset` of `train`, `evaluate` and `preview` takes data in any of these forms. The first that fits is
read.

| `--dataset` | data |
|---|---|
{rows}

## Splits

Training is on the split `train` (or `training`, `trainval`, else `all`), evaluation on `validation` (or
`val`, `valid`, `dev`, `eval`, `evaluation`), else on `test`, in any case; `--train-split` and
`--val-split` name others. With `trainval`, which holds `train` and `val` in such data sets, evaluation
is on `test`.

Data that come with training images only need `--val-split 0.1`: a tenth of the training split is held
out, of every class its share, and no class is held out whole. Which images these are depends on the
data, the fraction and `--val-split-seed`, not on `--seed` or the number of processes: a resumed run, a
comparison over seeds and `evaluate RUN` have the same. It is recorded in `summary.json` under `data`,
`held_out`. Once images were added or removed, others would be held out: `evaluate RUN` and `--resume`
stop there, as most of them would be images that the run was trained on.

`train` evaluates on the images trained on only with `--val-split train` and `--eval-on-train`;
`evaluate` does so where its `--val-split` names them.

## Columns

In a table, the image column is found by the usual names (`image`, `img`, ..., `file_name`, `path`) and
by its contents; the label column by the usual names (`label`, `labels`, `class`, `target`, `fine_label`,
`category`), or as the only one that `datasets` types as class labels. Where several fit, the error lists the
columns; choose with `--image-column` and `--label-column`. Paths are relative to the table, or to
`--data-dir`.

## Labels

| labels | classes |
|---|---|
| directories of classes | their names, sorted by code points, as in torchvision's `ImageFolder` |
| `datasets.ClassLabel` | the declared names in the declared order |
| texts | the different texts, sorted by code points |
| integers, or floats without a fraction | 0 to the largest, or 1 to the largest where the lowest is 1 |
| booleans | 0 and 1 |
| lists of texts or of class numbers | multi-label, as above |
| lists of a 0 or 1 for each of three or more classes | multi-label, numbered |
| several columns of 0 and 1, `--label-column A,B,C` | multi-label: the columns in the order given |
| numbers with fractions | none: regression |

The classes are those of the training split. A row of the evaluation split with another label is an error
that names the row, and so is any row without a label (an empty text, a missing value or -1).

## Tasks

| `--task` | criterion | metrics |
|---|---|---|
{tasks}

The default, `auto`, follows from the labels as in the table above; `--task regression` makes targets of
whole numbers too. The targets of every task are mixed as the draw mixes the images. The first metric tells
which epoch is the best, and `evaluate` measures the same; it measures calibration, attacks, corruptions and
the rest for classification only.

## Images that cannot be read

The first one ends training, with its name. `--skip-broken` reads all images once before training, leaves
those out, prints how many there are, and records it in `summary.json`.

{kinds}
"""


def make_page() -> str:
    """Return the page."""
    rows = "\n".join(f"| {kind.form} | {kind.title} |" for kind in KINDS)
    tasks = "\n".join(
        f"| `{name}` | {task.criterion} | {', '.join(METRICS[score].label for score in task.scores)} |"
        for name, task in TASKS.items()
    )
    return _PAGE.format(rows=rows, tasks=tasks, kinds="\n\n".join(map(make_section, KINDS)))


def make_section(kind: Kind) -> str:
    """Return the section of a kind."""
    options = ", ".join(f"`--{name.replace('_', '-')}`" for name in sorted(kind.options))
    return f"## {kind.title}\n\n`--dataset`: {kind.form}\n\n{kind.about}" + (
        f"\n\nOptions: {options}." if options else ""
    )


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")

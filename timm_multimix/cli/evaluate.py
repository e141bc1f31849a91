"""`timm-multimix evaluate`: evaluate a trained model; options are parsed before torch is imported."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..options.evaluation import EvaluateOptions
from ..options.parser import parse
from .early import check_alone, check_evaluation


def main(argv: list[str]) -> int:
    """Evaluate the model, print the results, and add them to the run's evaluation.json or the --output file.

    Raises: UsageError for mistakes in the options, if several processes were launched, and after the results
    if a file could not be written.
    """
    options = parse(EvaluateOptions, argv)
    check_alone("evaluate")
    check_evaluation(options)
    from ..evaluation.report import Unwritten
    from ..evaluation.run import run

    try:
        tell(options, run(options))
    except Unwritten as error:
        tell(options, error.record, error.files)
        raise
    return 0


def tell(options: EvaluateOptions, record: dict[str, Any], unwritten: Collection[Path] = ()) -> None:
    """Print the results as tables or JSON, and the paths of the files that were written with them."""
    from ..evaluation.report import find_file, render

    if options.report.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return
    print(render(record))
    for what, where in (("numbers", find_file(options)), ("image", options.measures.embedding_plot)):
        if where is not None and where not in unwritten:
            print(f"{what} in {where}")

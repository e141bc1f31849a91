"""`timm-multimix evaluate`: evaluate a trained model; options are parsed before torch is imported."""

import json
from typing import Any

from ..options.evaluation import EvaluateOptions
from ..options.parser import parse
from .early import check_alone, check_evaluation


def main(argv: list[str]) -> int:
    """Evaluate the model, print the results, and add them to the run's evaluation.json or the --output file.

    Raises: UsageError for mistakes in the options, and if several processes were launched.
    """
    options = parse(EvaluateOptions, argv)
    check_alone("evaluate")
    check_evaluation(options)
    from ..evaluation.run import run

    tell(options, run(options))
    return 0


def tell(options: EvaluateOptions, record: dict[str, Any]) -> None:
    """Print the results as tables or JSON, and the paths of their file and of the embedding plot."""
    from ..evaluation.report import find_file, render

    if options.report.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return
    print(render(record))
    for what, where in (("numbers", find_file(options)), ("image", options.measures.embedding_plot)):
        if where is not None:
            print(f"{what} in {where}")

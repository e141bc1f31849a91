"""Fuzzing that is guided by the lines it reaches: mutations that reach new ones are kept and mutated further.

python -m tests.fuzz.guided TARGET RUNS EMPTY_DIRECTORY SEED

Ends with status 0 after so many inputs; one that is neither understood nor refused ends it with a traceback,
and is kept in the directory.
"""

import io
import resource
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import atheris
import psutil

with atheris.instrument_imports(include=["timm_multimix"]):
    from tests.fakehub.cards import check_card
    from tests.finished_runs import make_run, run_record
    from tests.fuzz import test_cards, test_configs, test_specs
    from tests.fuzz.effort import value_or_refusal
    from tests.hub.test_card import NAME, change
    from timm_multimix.comparison.collect import read_run as read_compared
    from timm_multimix.hub.card import make_card
    from timm_multimix.hub.record import read_run
    from timm_multimix.options import parse_train_options
    from timm_multimix.schedule import parse_schedule

MEMORY = 2 << 30
"""Bytes that the inputs may take, beside what is imported."""

Target = tuple[Callable[[str], object], list[str]]
"""What is done with a text, and the texts to begin with."""

OPTIONS = [
    "--mix\nmixup | cutmix\n--lr=0.1\n--betas=0.9",
    "--mean\n0.5\n0.5\n0.5\n--no-aug",
    "--config=x\n-b\n8",
]


def read_options(text: str) -> None:
    """A command line with a word on each line."""
    with redirect_stdout(io.StringIO()):
        value_or_refusal(lambda: parse_train_options(text.split("\n")))


def read_summary(directory: Path, text: str) -> None:
    """The run's record with this text in place of its summary."""
    (directory / "summary.json").write_bytes(text.encode())
    for read in (read_run, read_compared):
        value_or_refusal(lambda read=read: read(directory))  # type: ignore[misc]


def make_targets(directory: Path) -> dict[str, Target]:
    """The parsers that take what others wrote, by name; files are written below the directory."""
    record = run_record(directory / "a")
    make_run(directory / "b")
    summary = (directory / "b" / "summary.json").read_text()

    def write_card(text: str) -> None:
        card = value_or_refusal(lambda: make_card(change(record, text), NAME))
        assert card is not None
        assert check_card(card) == ([], [])

    return {
        "specs": (test_specs.read, test_specs.GOOD),
        "schedules": (lambda text: value_or_refusal(lambda: parse_schedule(text)), test_specs.SCHEDULES),
        "options": (read_options, OPTIONS),
        "configs": (lambda text: test_configs.read(directory, text), test_configs.GOOD),
        "records": (lambda text: read_summary(directory / "b", text), [summary]),
        "cards": (write_card, test_cards.MARKUP),
    }


def main() -> None:
    """Fuzz one target."""
    name, runs, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    target, texts = make_targets(directory)[name]
    corpus = directory / "corpus"
    corpus.mkdir()
    for number, text in enumerate(texts):
        (corpus / str(number)).write_bytes(text.encode("utf-8", "replace"))
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY,) * 2)
    # libFuzzer's own limit is off: the peak that it reads is inherited from the process that started this one
    limits = ["-timeout=0", "-rss_limit_mb=0"]
    options = [f"-runs={runs}", f"-seed={sys.argv[4]}", f"-artifact_prefix={directory}/", *limits]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: target(data.decode("utf-8", "replace")))
    atheris.Fuzz()


if __name__ == "__main__":
    main()

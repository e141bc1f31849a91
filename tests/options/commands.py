"""All commands' options, and a value of each option that turns it on."""

from collections.abc import Iterator

from timm_multimix.errors import UsageError
from timm_multimix.options import TrainOptions
from timm_multimix.options.arguments import Parser, Switch, reading
from timm_multimix.options.comparison import CompareOptions
from timm_multimix.options.declaration import REQUIRED, Option, Options, declared, in_use
from timm_multimix.options.evaluation import EvaluateOptions
from timm_multimix.options.listing import ListOptions
from timm_multimix.options.prediction import PredictOptions
from timm_multimix.options.preview import PreviewOptions
from timm_multimix.options.publishing import PushOptions

COMMANDS: tuple[type[Options], ...] = (
    TrainOptions,
    EvaluateOptions,
    CompareOptions,
    PushOptions,
    PredictOptions,
    PreviewOptions,
    ListOptions,
)

TEXTS = ("some", "2", "0.5", "a=1", "x.png", "user/name", "mit")


def all_options() -> Iterator[tuple[type[Options], Option]]:
    """Every option of every command."""
    for kind in COMMANDS:
        for option in declared(kind).values():
            yield kind, option


def words(kind: type[Options], name: str) -> list[str]:
    """A command line that turns an option on."""
    option = declared(kind)[name]
    found = reading(option)
    if found.action is Switch:
        return [option.flag]
    texts = [choice for choice in found.choices if choice != option.default] if found.choices else TEXTS
    for text in texts:
        many = [text] * found.nargs if isinstance(found.nargs, int) else [text]
        argv = many if option.facts.positional else [option.flag, *many]
        try:
            if in_use(Parser(kind).parse_layer([*positionals(kind, name), *argv])[name]):
                return argv
        except UsageError:
            continue
    raise AssertionError(f"no value for {option.flag}")


def positionals(kind: type[Options], but: str = "") -> list[str]:
    """Texts for the arguments that have no flag and must be given."""
    return [
        "some/name"
        for option in declared(kind).values()
        if option.facts.positional and option.default is REQUIRED and option.name != but
    ]


def required(kind: type[Options]) -> list[str]:
    """A command line with all that must be given."""
    flags = [
        option.name
        for option in declared(kind).values()
        if option.default is REQUIRED and not option.facts.positional
    ]
    return [*positionals(kind), *(word for name in flags for word in words(kind, name))]

"""The classifier of a timm model, separate from its backbone."""

from torch import nn

from ..errors import UsageError
from ..sites.probe import classifiers


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the classifier's parameters.

    Raises:
        UsageError: there are none.
    """
    found = [parameter for module in classifiers(model) for parameter in module.parameters()]
    if not found:
        raise UsageError(f"{type(model).__name__} has no classifier separate from its backbone")
    return found


def reset_head(model: nn.Module) -> None:
    """Give the classifier new random weights."""
    for module in (part for head in classifiers(model) for part in head.modules()):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()  # type: ignore[operator]

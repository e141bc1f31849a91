"""The mixing flags of timm's train.py, converted to a spec."""

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError

_RATES = ("mixup_prob", "mixup_switch_prob", "mixup_mode")


def mix_of_timm(given: Mapping[str, Any]) -> str | None:
    """Return the spec of timm's flags; partners in `batch` and `elem` mode are random here.

    Args:
        given: values of `mixup`, `cutmix` (concentrations, 0 for off), `cutmix_minmax`, `mixup_prob`,
            `mixup_switch_prob` (the part of cutmix) and `mixup_mode`, by name; what is left out has timm's
            default.

    Returns:
        The spec; None for no mixing.

    Raises:
        UsageError: for a flag that has no effect.

    Source: `timm.data.Mixup`.
    """
    mode = given.get("mixup_mode", "batch")
    minmax = given.get("cutmix_minmax")
    specs = []
    if given.get("mixup", 0) > 0:
        specs.append(_spec("mixup", f"alpha={given['mixup']}", mode))
    if minmax is not None:
        low, high = minmax
        specs.append(_spec("cutmix", f"minmax=({low}, {high})", mode))
    elif given.get("cutmix", 0) > 0:
        specs.append(_spec("cutmix", f"alpha={given['cutmix']}", mode))
    _check(given, len(specs))
    if not specs:
        return None
    chance, switch = given.get("mixup_prob", 1.0), given.get("mixup_switch_prob", 0.5)
    weights = [chance] if len(specs) == 1 else [chance * (1 - switch), chance * switch]
    return _choice([*zip(weights, specs, strict=True), (1 - chance, "none")], mode)


def _check(given: Mapping[str, Any], mixers: int) -> None:
    for name in _RATES:
        flag = "--" + name.replace("_", "-")
        if name in given and not mixers:
            raise UsageError(f"{flag} has no effect without --mixup or --cutmix above 0; give that as well")
        if name == "mixup_switch_prob" and name in given and mixers == 1:
            raise UsageError(f"{flag} has no effect unless both --mixup and --cutmix are above 0")


def _spec(name: str, argument: str, mode: str) -> str:
    extra = {"batch": "", "elem": ", per_sample=True", "pair": ", partner='pair'"}[mode]
    return f"{name}({argument}{extra})"


def _choice(weighted: list[tuple[float, str]], mode: str) -> str:
    """One of several specs: for each batch, or for each example or pair."""
    possible = [(weight, spec) for weight, spec in weighted if weight > 0]
    if len({weight for weight, _ in possible}) == 1:
        text = " | ".join(spec for _, spec in possible)
    else:
        text = " | ".join(f"{weight:.12g}*{spec}" for weight, spec in possible)
    return text if len(possible) == 1 or mode == "batch" else f"per_sample({text})"

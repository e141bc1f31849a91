"""The args.yaml that timm's train.py writes, converted to options of this package."""

from collections.abc import Mapping
from typing import Any

from .declaration import Option
from .timm_flags import TimmFlag, timm_flags

_OFF: tuple[Any, ...] = (None, "", [], {})
_TELLING = 10  # options that are not here, of which a dump has all and a config of ours none
_SWITCH = "mixup_switch_prob"


def is_of_timm(content: Mapping[Any, Any]) -> bool:
    """Whether a config is all arguments of a run of timm."""
    missing = {name for name, found in timm_flags().items() if found.kind == "absent"}
    return len(missing & content.keys()) >= _TELLING


def from_timm(content: Mapping[Any, Any], options: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    """Return the options for timm's arguments, and arguments without one, as `name=value`.

    Arguments that are off, or have no option and timm's default, are in neither.
    """
    used: dict[str, Any] = {}
    left: list[str] = []
    for name, value in content.items():
        found = timm_flags().get(name)
        if value in _OFF or name == "config":
            continue
        if found is None or found.kind in ("absent", "accelerate"):
            if found is None or value != found.default:
                left.append(f"{name}={value}")
        elif value != found.default or not _stands_by_itself(found, options.get(name)):
            used[name] = value
    return _agreed(used, content), left


def _stands_by_itself(found: TimmFlag, option: Option | None) -> bool:
    """Whether timm's default has no meaning here: of a second name, or of a split that data may lack."""
    is_found = option is not None and option.facts.subject and option.default is None
    return found.kind == "alias" or is_found


def _agreed(used: dict[str, Any], content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return options as timm uses them: without overruled ones, and with the positional data."""
    if content.get("data") not in _OFF:
        used.setdefault("data_dir", content["data"])
    mixes = [name for name in ("mixup", "cutmix") if used.get(name)] + ["cutmix"] * ("cutmix_minmax" in used)
    idle = {_SWITCH} if len(set(mixes)) < 2 else set()
    idle |= set() if mixes else {"mixup_prob", "mixup_mode", "mixup_off_epoch"}
    idle |= {"lr_base", "lr_base_size", "lr_base_scale"} if "lr" in used else set()
    return {name: value for name, value in used.items() if name not in idle}

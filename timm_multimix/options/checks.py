"""What several options say together: short forms, contradictions, defaults that depend on the data."""

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from ..errors import UsageError
from .data import AUGMENTATIONS

LEAVES_WITHOUT_EFFECT = {"no_aug": AUGMENTATIONS, "crop_padding": frozenset({"scale", "ratio"})}
"""Options that make others idle."""

NEEDS = {
    "body_lr_scale": ("pretrained",),
    "clip_mode": ("clip_grad",),
    "distill_teacher": ("distill",),
    "distill_warmup_epochs": ("distill",),
    "freeze_body": ("pretrained",),
    "hub_license": ("push_to_hub",),
    "hub_model_id": ("push_to_hub",),
    "hub_overwrite": ("push_to_hub",),
    "hub_private": ("push_to_hub",),
    "hub_tag_epochs": ("push_to_hub",),
    "hub_timeout": ("push_to_hub",),
    "label_noise_kind": ("label_noise",),
    "mix_schedule": ("mix",),
    "model_ema_decay": ("model_ema", "distill"),
    "model_ema_warmup": ("model_ema", "distill"),
    "recount": ("reprob",),
    "remode": ("reprob",),
}
"""Options that are idle unless one of these is chosen as well."""


def _flags(dests: Iterable[str]) -> str:
    return " or ".join("--" + dest.replace("_", "-") for dest in sorted(dests))


def resolve_aliases(chosen: dict[str, Any]) -> dict[str, Any]:
    """`chosen` with --mixup and --cutmix turned into the spec they stand for; 0 turns one off, as in timm.

    Raises: UsageError if they come together with --mix.
    """
    aliases = {name: chosen[name] for name in ("mixup", "cutmix") if name in chosen}
    if not aliases:
        return chosen
    if "mix" in chosen:
        raise UsageError(
            f"{_flags(set(aliases))} is short for a --mix spec; give one of them, not --mix as well"
        )
    parts = [f"{name}(alpha={alpha})" for name, alpha in aliases.items() if alpha > 0]
    rest = {name: value for name, value in chosen.items() if name not in aliases}
    return rest | {"mix": " | ".join(parts) or "none"}


def check_choices(chosen: dict[str, Any], given: set[str]) -> None:
    """Look for options of the command line (`chosen`) without effect; `given` are a config's as well.

    Raises: UsageError for the first of them.
    """
    for name, idle in LEAVES_WITHOUT_EFFECT.items():
        if chosen.get(name) not in (None, False) and (both := idle & set(chosen)):
            raise UsageError(
                f"--{name.replace('_', '-')} leaves {_flags(both)} without effect; give only one"
            )
    for name, needed in NEEDS.items():
        if name in chosen and given.isdisjoint(needed):
            raise UsageError(f"{_flags({name})} has no effect without {_flags(needed)}; give that as well")


def overruled(below: dict[str, Any], given: set[str]) -> dict[str, Any]:
    """What is left of the lower layer `below` without what `given` replaces and what would leave it idle."""
    return {
        name: value
        for name, value in below.items()
        if name not in given and given.isdisjoint(LEAVES_WITHOUT_EFFECT.get(name, ()))
    }


def check_result(options: Namespace) -> None:
    """Look at the options of a run as a whole.

    Raises: UsageError for values that cannot stand together.
    """
    for name in ("scale", "ratio"):
        low, high = getattr(options, name)
        if low > high:
            raise UsageError(f"--{name}: expected LOW <= HIGH, got {low} {high}")
    if options.resume == "auto" and options.output is None:
        raise UsageError("--resume auto goes on with the run in --output; give --output DIR as well")
    if options.resume is not None and options.overwrite:
        raise UsageError("--resume goes on with a run and --overwrite replaces it; give one or the other")
    if options.streaming and options.skip_broken:
        raise UsageError("--skip-broken reads all images first, which --streaming cannot; give one of them")
    if options.streaming and options.cache != "off":
        raise UsageError("--cache holds all images in memory, --streaming none of them; give one of them")
    if options.streaming and options.label_noise:
        raise UsageError("--label-noise numbers all images first, which --streaming cannot; give one of them")
    if options.push_to_hub and not options.hub_model_id:
        raise UsageError("--push-to-hub needs a repository; give --hub-model-id USER/NAME as well")
    body = {name for name in ("body_lr_scale", "freeze_body", "layer_decay") if getattr(options, name)}
    if len(body) > 1:
        raise UsageError(f"{_flags(body)} say how fast the body learns; give one of them")


def fill_defaults(options: Namespace, suited: dict[str, Any]) -> Namespace:
    """A copy of `options` in which `suited`, the data's own defaults, fill what the user did not choose.

    A user who chose any augmentation has chosen to augment. The warm-up becomes a tenth of the epochs.
    """
    filled = Namespace(**(vars(options) | overruled(suited, options.given)))
    if filled.warmup_epochs is None:
        filled.warmup_epochs = filled.epochs / 10
    return filled

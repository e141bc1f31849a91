"""The parts of the package and their imports, read from the code.

`python -m tests.layers` writes docs/architecture.md.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "timm_multimix"
PAGE = ROOT / "docs" / "architecture.md"

# From the top: a part may import those below its own line only.
LAYERS = {
    "__main__": "`python -m timm_multimix`",
    "cli": "the command line: a module for each command; errors in one line",
    "__init__": "the names of the Python API",
    "api": "the commands as functions of Python, and what they return",
    "comparison": "`compare`: trials, statistics, images, pages",
    "training": "the trainer: a run from its options to a model that timm loads",
    "previews": "`preview`: what a spec does, as an image",
    "hub": "cards, records and pushes to the Hub",
    "evaluation": "accuracy, calibration, attacks, out-of-distribution detection, embedding",
    "modeling": "networks of timm: created, with pretrained weights, their heads",
    "data": "datasets, columns, splits, augmentation, loaders",
    "records": "what a run leaves in its directory: schema, reader, lock, provenance",
    "logs": "logging and warnings",
    "options": "every option as a typed declaration; the parser, YAML and relations follow from it",
    "connection": "requests to the Hub: bounded waits, retries, refusals",
    "redaction": "what may leave the machine: no token, no path",
    "markdown": "text for Markdown pages",
    "figures": "text in figures",
    "deadlines": "waits that end",
    "files": "files written whole",
    "task": "MixTask: model, mixers, loss and teacher as one timm training task",
    "task_arguments": "checks of what a MixTask is made with",
    "objective": "the loss of a step",
    "distill": "teachers and their targets",
    "sites": "where a network is mixed: hidden layers, features, positions, logits; guides",
    "mixers": "the registry of mixers, spec strings, steps",
    "models": "networks of the paper's experiments for CIFAR",
    "functional": "draws, losses and samplers as functions of tensors, on torch alone",
    "schedule": "when mixing is on",
    "randomness": "seeds and generators as functions of (seed, rank, step)",
    "version": "the version of the package",
    "_compat": "what other libraries keep private or not every version has, and we need",
    "mixer_names": "names in specs, read from the source before the mixers are imported",
    "dataset_names": "names of datasets: of the Hub, of timm, paths",
    "notebook": "HTML of tables and figures, for notebooks",
    "errors": "the two ways in which a command ends early",
}


def find_imports() -> dict[str, set[str]]:
    """The parts that each part imports from, at any place of its code."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        own = parts[1]
        targets = {_part(name) for name in _modules(path, parts[:-1])}
        found.setdefault(own, set()).update(targets - {own, None})  # type: ignore[arg-type]
    return found


def _modules(path: Path, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if not isinstance(node, ast.ImportFrom):
            continue
        base = package[: len(package) - node.level + 1] if node.level else ()
        name = ".".join([*base, *([node.module] if node.module else [])])
        yield from ([f"{name}.{alias.name}" for alias in node.names] if name == "timm_multimix" else [name])


def _part(module: str) -> str | None:
    first, _, rest = module.partition(".")
    if first != "timm_multimix":
        return None
    part = rest.partition(".")[0]
    named = part and ((PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file())
    return part if named else "__init__"


def make_page() -> str:
    """The parts from the top down, with what each imports."""
    imports = find_imports()
    rows = []
    for name, what in LAYERS.items():
        below = ", ".join(f"`{other}`" for other in LAYERS if other in imports.get(name, ()))
        rows.append(f"| `{name}` | {what} | {below} |")
    return f"""# The parts of the code

<!-- Made by `make docs` from the imports; tests/layers.py has the order. -->

A part imports from parts further down only; a test holds that. The tensors' way is short: `task` asks `sites`
for the passes through the network, `mixers` for a draw, `functional` for the loss. Around it, `training`
reads `data` and `options` and leaves `records`, which `hub`, `evaluation` and `comparison` read.

| part | what it is | imports |
|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")

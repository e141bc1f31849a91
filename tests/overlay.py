"""Put the oldest supported versions of libraries into a directory in front of the installed ones.

python -m tests.overlay DIRECTORY accelerate datasets
EXPECT_VERSIONS=accelerate,datasets PYTHONPATH=DIRECTORY python -m pytest
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PACKAGES = ("accelerate", "datasets", "huggingface-hub", "timm", "torch")
# What these versions need older than installed.
COMPANIONS = {
    "datasets": ("fsspec==2024.6.1", "dill==0.3.8", "multiprocess==0.70.16", "pandas<3", "pytz"),
    "torch": ("torchvision==0.21.0",),
}


def oldest_versions() -> dict[str, str]:
    """The lower bounds of the libraries this project stands on, as pyproject.toml says them."""
    dependencies = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    bounds = (re.match(r"([\w-]+)>=([\d.]+)", line) for line in dependencies)
    return {bound[1]: bound[2] for bound in bounds if bound and bound[1] in PACKAGES}


def whole(version: str) -> str:
    """A version with three numbers, as packages have them."""
    return ".".join([*version.split("."), "0", "0"][:3])


def make_overlay(directory: Path, names: list[str]) -> None:
    """Install the oldest versions of libraries into a directory, without what they share with the newest.

    Only torch comes with its dependencies: it is linked against one version of them.

    Raises:
        CalledProcessError: pip failed.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--upgrade", "--target"]
    pip.append(str(directory))
    for name in names:
        oldest = [f"{name}=={whole(oldest_versions()[name])}", *COMPANIONS.get(name, ())]
        subprocess.run([*pip, *(() if name == "torch" else ("--no-deps",)), *oldest], check=True)


if __name__ == "__main__":
    make_overlay(Path(sys.argv[1]), sys.argv[2:])

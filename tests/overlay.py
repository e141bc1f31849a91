"""Put the oldest supported versions into a directory that goes in front of the installed ones.

python -m tests.overlay DIRECTORY
EXPECT_VERSIONS=oldest PYTHONPATH=DIRECTORY python -m pytest
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PACKAGES = ("accelerate", "datasets", "huggingface-hub", "timm")
CLIENT_1 = ("httpx<1", "httpcore<2", "h11", "anyio", "certifi", "idna")  # the Hub's 2.x talks through httpx2


def oldest_versions() -> dict[str, str]:
    """The lower bounds of the libraries this project stands on, as pyproject.toml says them."""
    dependencies = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    bounds = (re.match(r"([\w-]+)>=([\d.]+)", line) for line in dependencies)
    return {bound[1]: bound[2] for bound in bounds if bound and bound[1] in PACKAGES}


def whole(version: str) -> str:
    """A version with three numbers, as packages have them."""
    return ".".join([*version.split("."), "0", "0"][:3])


def make_overlay(directory: Path) -> None:
    """Install the oldest versions into a directory, without what they share with the newest.

    Raises:
        CalledProcessError: pip failed.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", "--target", directory]
    versions = [f"{name}=={whole(version)}" for name, version in oldest_versions().items()]
    subprocess.run([*pip, *versions, *CLIENT_1], check=True)


if __name__ == "__main__":
    make_overlay(Path(sys.argv[1]))

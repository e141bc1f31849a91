"""Put another version of huggingface_hub into a folder that goes in front of the installed one.

python -m tests.hub.overlay FOLDER 1.33.0
EXPECT_HUGGINGFACE_HUB=1.33.0 PYTHONPATH=FOLDER python -m pytest tests/hub
"""

import os
import subprocess
import sys
from pathlib import Path

CLIENT_1 = ("httpx<1", "httpcore<2", "h11", "anyio", "certifi", "idna")  # 2.x talks through httpx2 instead
SHOW = "import huggingface_hub; print(huggingface_hub.__version__, huggingface_hub.__file__)"


def requirements(version: str) -> list[str]:
    """The client and what it needs beyond the installed 2.x."""
    return [f"huggingface_hub=={version}", *(CLIENT_1 if version.startswith("1.") else ())]


def make_overlay(folder: Path, version: str) -> str:
    """Install the client into a folder; return what a Python with that folder in front says it uses.

    Raises:
        RuntimeError: it uses another one.
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--no-deps",
        "--target",
        str(folder),
    ]
    subprocess.run([*pip, *requirements(version)], check=True)
    path = os.pathsep.join(filter(None, [str(folder.resolve()), os.environ.get("PYTHONPATH")]))
    shown = subprocess.check_output(
        [sys.executable, "-c", SHOW], env=os.environ | {"PYTHONPATH": path}, text=True
    )
    if shown.split() != [version, str(folder.resolve() / "huggingface_hub" / "__init__.py")]:
        raise RuntimeError(f"asked for {version} in {folder}, got {shown.strip()}")
    return shown.strip()


if __name__ == "__main__":
    print(make_overlay(Path(sys.argv[1]), sys.argv[2]))

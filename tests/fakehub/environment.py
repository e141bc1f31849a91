"""Separate Python processes whose Hub is the one on loopback."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fakehub.server import TOKEN, HubServer


def hub_environment(server: HubServer, home: Path, token: str | None = TOKEN) -> dict[str, str]:
    """The environment of a process whose Hub is `server`, with its cache and settings under `home`.

    The client reads these at import, so they must be set before the process starts.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    own = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),  # the same client as here, overlaid or not
    }
    return kept | own | ({"HF_TOKEN": token} if token else {})


def run_python(
    code: str, server: HubServer, home: Path, token: str | None = TOKEN
) -> subprocess.CompletedProcess[str]:
    """Run a script against the Hub and return what it printed.

    Raises:
        RuntimeError: it failed; what it wrote to stderr.
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=hub_environment(server, home, token),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done

"""An empty Hub, and the real client in this process connected to it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants, file_download

from tests.fakehub.helpers import WEIGHTS
from tests.fakehub.server import OTHER_TOKEN, TOKEN, HubServer
from timm_multimix._compat.hub import close_session
from timm_multimix.connection import retry


def pytest_report_header() -> str:
    return f"huggingface_hub: {huggingface_hub.__version__} from {Path(huggingface_hub.__file__).parent}"


def set_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Set the Hub of this process's client."""
    template = url + "/{repo_id}" + constants.HUGGINGFACE_CO_URL_TEMPLATE.split("/{repo_id}")[1]
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)  # before 1.0


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub in an empty directory, and the client's settings that were read at import set to it."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    close_session()
    with HubServer(tmp_path / "hub") as server:
        set_endpoint(monkeypatch, server.url)
        yield server
    close_session()


@pytest.fixture
def connected(hub: HubServer, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> HubServer:
    """The Hub, without waits between attempts."""
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)
    return hub


@pytest.fixture
def as_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log this process's client in as the user `tester`."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    """The client as the user `tester`."""
    return HfApi(endpoint=hub.url, token=TOKEN)


@pytest.fixture
def other(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.url, token=OTHER_TOKEN)


@pytest.fixture
def anonymous(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retry without waiting; the seconds that the client would have waited."""
    seconds: list[float] = []
    stub = SimpleNamespace(sleep=seconds.append)
    monkeypatch.setattr("huggingface_hub.utils._http.time", stub)
    return seconds


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small model directory: a config, weights that go through LFS, and a file one directory down."""
    made = tmp_path / "model"
    (made / "figures").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(WEIGHTS)
    (made / "figures" / "curves.svg").write_text("<svg/>")
    return made

"""Time-outs of a Hub that accepts connections and does not answer."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants

from tests.fakehub.environment import hub_environment
from tests.fakehub.faults import rate_limited
from tests.fakehub.fixtures import set_endpoint
from tests.fakehub.helpers import NAME, TIMEOUTS, patient_client
from tests.fakehub.server import TOKEN, HubServer
from tests.fakehub.silence import MANNERS, UnhelpfulServer, dripping_body, stalling
from tests.finished_runs import make_pictures, make_run
from timm_multimix import deadlines
from timm_multimix._compat.hub import TALKS_HTTPX, close_session, http
from timm_multimix.connection import retry
from timm_multimix.connection.client import bound_requests, unreachable
from timm_multimix.connection.patience import VARIABLE, patience, silence
from timm_multimix.connection.requests_session import bound_session
from timm_multimix.data.hub import load_from_hub
from timm_multimix.dataset_names import HubName
from timm_multimix.deadlines import left_behind, within
from timm_multimix.errors import UsageError
from timm_multimix.hub.target import open_repo
from timm_multimix.hub.upload import Uploader
from timm_multimix.modeling.pretrained import check_pretrained

SHORT = "0.4"
BOUND = 30.0
"""Seconds within which everything here must end; without time-outs it never does."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short time-outs."""
    monkeypatch.setenv(VARIABLE, SHORT)
    monkeypatch.setattr(deadlines, "_left", [])
    bound_requests()
    yield
    close_session()


@pytest.fixture(params=MANNERS.values(), ids=list(MANNERS))
def server(
    request: pytest.FixtureRequest,
    short: None,
    waits: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[UnhelpfulServer]:
    """A server of each kind, used by this process's client as the Hub."""
    with UnhelpfulServer(request.param) as server:
        set_endpoint(monkeypatch, server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)
        yield server


@pytest.fixture
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < BOUND


REQUESTS: dict[str, Callable[[], object]] = {
    "whoami": lambda: HfApi().whoami(),
    "create_repo": lambda: HfApi().create_repo(NAME),
    "model_info": lambda: HfApi().model_info(NAME),
    "list_repo_refs": lambda: HfApi().list_repo_refs(NAME),
    "get_paths_info": lambda: HfApi().get_paths_info(NAME, ["README.md"]),
}


@pytest.mark.parametrize("request_it", REQUESTS.values(), ids=list(REQUESTS))
def test_a_request(server: UnhelpfulServer, in_time: None, request_it: Callable[[], object]) -> None:
    with pytest.raises(TIMEOUTS):
        request_it()
    assert server.connections <= 2  # no retries


def test_opening_a_repository(server: UnhelpfulServer, in_time: None) -> None:
    with pytest.raises(UsageError, match=f"cannot write to {NAME} on the Hub: ") as caught:
        open_repo(NAME)
    assert "\n" not in str(caught.value)


def test_a_model_and_a_dataset(server: UnhelpfulServer, in_time: None) -> None:
    with pytest.raises(UsageError, match=r"config\.json could not be downloaded from the Hub"):
        check_pretrained(f"hf-hub:{NAME}")
    with pytest.raises(UsageError, match="could not be downloaded from the Hub"):
        load_from_hub(HubName("tester/data"))


def test_the_end_of_a_training(
    server: UnhelpfulServer, in_time: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "run")
    began = time.monotonic()
    uploader = Uploader(tmp_path / "run", NAME, timeout=1.0)
    uploader.finish()
    assert time.monotonic() - began < 5
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].endswith(f"finish it with `timm-multimix push {tmp_path / 'run'} {NAME}`")
    assert all(line.startswith("warning: ") for line in lines)


def test_a_hub_that_sends_headers_is_reachable(server: UnhelpfulServer, in_time: None) -> None:
    """Response headers alone are enough."""
    assert (unreachable() is None) == (server.manner in (stalling, dripping_body))


# what bounds them


def test_a_slow_response_is_not_aborted(connected: HubServer, short: None, as_tester: None) -> None:
    connected.store.create(NAME).commit({"big.bin": bytes(3_000_000)}, "big")
    path = HfApi(endpoint=connected.url).hf_hub_download(NAME, "big.bin")
    assert Path(path).stat().st_size == 3_000_000


@pytest.mark.skipif(not TALKS_HTTPX, reason="sessions of requests have no hooks before a request")
def test_time_outs_of_the_caller_stay(short: None) -> None:
    request = http.Request("GET", "http://x", extensions={"timeout": {"connect": 7.0, "read": None}})
    for hook in huggingface_hub.get_session().event_hooks["request"]:
        hook(request)
    assert request.extensions["timeout"]["connect"] == 7.0
    assert request.extensions["timeout"]["read"] == float(SHORT)


@pytest.mark.parametrize(
    ("given", "expected"), [(7.0, 7.0), (None, (float(SHORT) / 3, float(SHORT)))], ids=["given", "none"]
)
def test_time_outs_of_a_session(short: None, given: float | None, expected: object) -> None:
    sent: dict[str, object] = {}
    session = SimpleNamespace(adapters={"http://": SimpleNamespace(send=lambda request, **o: sent.update(o))})
    bound_session(session)
    session.adapters["http://"].send(None, timeout=given, stream=True)
    assert sent == {"timeout": expected, "stream": True}


def test_bounding_twice_is_bounding_once(short: None) -> None:
    first = huggingface_hub.get_session()
    bound_requests()
    assert huggingface_hub.get_session() is first


@patient_client
def test_a_server_cannot_ask_for_an_hour(connected: HubServer, short: None, waits: list[float]) -> None:
    connected.store.create(NAME).commit({"a.bin": b"1"}, "a")
    connected.faults.add("GET", "*/resolve/*", rate_limited(3600), times=2)
    HfApi(endpoint=connected.url).hf_hub_download(NAME, "a.bin")
    assert waits == [301, 301]


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "soon"])
def test_a_silence_that_is_no_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=f"{VARIABLE} must be a number of seconds > 0, got '{text}'"):
        silence()
    monkeypatch.setenv(VARIABLE, "5")
    assert (silence(), patience()) == (5.0, 10.0)


def test_an_action_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "_left", [])
    assert within(BOUND, lambda: 7) == 7
    with pytest.raises(KeyError, match="mine"):
        within(BOUND, lambda: {}["mine"])
    assert not left_behind()
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 seconds"):
        within(0.01, over.wait)
    assert left_behind()
    over.set()


# whole processes


def command(
    url: str, directory: Path, *argv: object, timeout: float = 300.0, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `timm-multimix` in a process of its own with short time-outs."""

    class _Server:
        pass

    server = _Server()
    server.url = url  # type: ignore[attr-defined]
    environment = hub_environment(server, directory / "home") | {VARIABLE: SHORT} | more  # type: ignore[arg-type]
    return subprocess.run(
        [sys.executable, "-m", "timm_multimix", *map(str, argv)],
        env=environment | {"ACCELERATE_USE_CPU": "true"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.slow
@pytest.mark.parametrize("manner", MANNERS.values(), ids=list(MANNERS))
def test_commands_end(manner: Callable[..., None], tmp_path: Path) -> None:
    """Push, predict and a new training, each against a server of each kind: one line, exit status 2."""
    make_run(tmp_path / "run")
    pictures = make_pictures(tmp_path / "pictures", 3)
    with UnhelpfulServer(manner) as server:
        for argv in (
            ("push", "run", NAME),
            ("predict", f"hf-hub:{NAME}", pictures),
            ("train", "--push-to-hub", "--hub-model-id", NAME, "--workers", 0),
            ("train", "--dataset", "tester/data", "--workers", 0),
        ):
            done = command(server.url, tmp_path, *argv)
            assert done.returncode == 2, done.stderr
            assert done.stderr.startswith("error: ")
            assert done.stderr.count("\n") == 1, done.stderr


def test_pending_requests_do_not_keep_a_process_alive(tmp_path: Path) -> None:
    """A process waits for the client's thread pools at its end, unless it is ended."""
    code = (
        "import threading, time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from timm_multimix import cli, deadlines\n"
        "def work():\n"
        "    with ThreadPoolExecutor(1) as pool: pool.submit(time.sleep, 600).result()\n"
        "def main(argv):\n"
        "    try: deadlines.within(0.1, work)\n"
        "    except TimeoutError as error: print(error, flush=True)\n"
        "    return 0\n"
        "cli.main = main\n"
        "leave = cli._leave_within\n"
        "cli._leave_within = lambda seconds, status: leave(seconds / 10, status)\n"
        "cli.run_process()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "no answer within 0.1 seconds\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("manner", MANNERS.values(), ids=list(MANNERS))
def test_a_training_ends_though_the_hub_falls_silent(manner: Callable[..., None], tmp_path: Path) -> None:
    """A run resumed with a Hub that does not answer: warnings, exit 0; `push` completes its uploads."""
    quick = ("train", "--workers", 0, "--batch-size", 512, "--output", "run", "--mix", "mixup")
    target = ("--push-to-hub", "--hub-model-id", NAME, "--hub-timeout", 3)
    with UnhelpfulServer(manner) as server:
        first = command(server.url, tmp_path, *quick, "--epochs", 1)
        assert first.returncode == 0, first.stderr
        (tmp_path / "run/summary.json").unlink()
        done = command(server.url, tmp_path, *quick, "--epochs", 1, "--resume", "auto", *target)
    assert done.returncode == 0, done.stderr
    assert f"warning: upload to {NAME}" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"finish it with `timm-multimix push run {NAME}`")
    assert json.loads((tmp_path / "run/summary.json").read_text())["epochs"] == 1
    with HubServer(tmp_path / "hub") as hub:
        pushed = command(hub.url, tmp_path, "push", "run", NAME, **{VARIABLE: "30"})
        assert pushed.returncode == 0, pushed.stderr
        assert hub.store.repo(NAME).titles()[0].startswith("Result, epoch 1 of 1")


@pytest.mark.slow
def test_an_upload_that_stalls_in_the_middle(tmp_path: Path) -> None:
    """The upload of the weights, by a pool of threads, gets no answer; the process still ends in time."""
    make_run(tmp_path / "run")
    over = threading.Event()

    def never(request: object, proceed: Callable[[], object]) -> object:
        over.wait()
        return proceed()

    with HubServer(tmp_path / "hub") as hub:
        hub.faults.add("PUT", "*", never, times=math.inf)  # type: ignore[arg-type]
        began = time.monotonic()
        done = command(hub.url, tmp_path, "push", "run", NAME, "--timeout", 4, **{VARIABLE: "600"})
        seconds = time.monotonic() - began
        over.set()
    assert done.returncode == 2, done.stderr
    assert done.stderr == f"error: {NAME} on the Hub did not take run: no answer within 4 seconds\n"
    assert seconds < 60
    assert os.path.isdir(tmp_path / "run/hub")

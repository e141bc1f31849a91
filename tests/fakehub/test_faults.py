"""The real client under each fault: what it retries, what it does not, and the final state."""

import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import pytest
from huggingface_hub import HfApi, constants, errors

from tests.fakehub.faults import (
    Effect,
    cut,
    drop,
    drop_after,
    rate_limited,
    slow,
    somebody_commits,
    status,
    unavailable,
)
from tests.fakehub.helpers import NAME, TIMEOUTS, WEIGHTS, patient_client
from tests.fakehub.server import HubServer
from tests.fakehub.store import Repo
from timm_multimix._compat.hub import FAILURES, http


@pytest.fixture
def repo(hub: HubServer) -> Repo:
    return hub.store.create(NAME)


def upload(api: HfApi, **settings: Any) -> str:
    """Upload some weights; the commit's hash."""
    return api.upload_file(
        repo_id=NAME, path_or_fileobj=WEIGHTS, path_in_repo="w.safetensors", commit_message="mine", **settings
    ).oid


@patient_client
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "*/preupload/*"), ("POST", "*/objects/batch"), ("PUT", "/lfs/*"), ("POST", "*/verify")],
)
@pytest.mark.parametrize(
    "effect", [unavailable, rate_limited(3), drop, drop_after], ids=["503", "429", "drop", "drop_after"]
)
def test_steps_before_the_commit(
    api: HfApi, hub: HubServer, repo: Repo, waits: list[float], method: str, path: str, effect: Effect
) -> None:
    """The client tries each of them again by itself."""
    fault = hub.faults.add(method, path, effect)
    upload(api)
    assert (fault.happened, len(waits)) == (1, 1)
    assert repo.titles() == ["mine", "initial commit"]
    assert repo.read("w.safetensors") == WEIGHTS


@patient_client
def test_retry_after_is_heeded(api: HfApi, hub: HubServer, repo: Repo, waits: list[float]) -> None:
    hub.faults.add("POST", "*/preupload/*", rate_limited(3), times=2)
    upload(api)
    assert waits == [4, 4]
    assert [one.status for one in hub.requests("POST", "*/preupload/*")] == [429, 429, 200]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_refused_commit_is_left_to_the_caller(api: HfApi, hub: HubServer, repo: Repo, code: int) -> None:
    hub.faults.add("POST", "*/commit/main", status(code))
    with pytest.raises(errors.HfHubHTTPError) as caught:
        upload(api)
    assert caught.value.response.status_code == code
    assert repo.titles() == ["initial commit"]
    assert upload(api) == repo.head()
    assert len(hub.requests("PUT")) == 1


def test_a_dropped_commit_was_not_made(api: HfApi, hub: HubServer, repo: Repo) -> None:
    hub.faults.add("POST", "*/commit/*", drop)
    with pytest.raises(FAILURES):
        upload(api)
    assert repo.titles() == ["initial commit"]
    assert [one.status for one in hub.requests("POST", "*/commit/*")] == [0]


def test_a_commit_dropped_afterwards_doubles_when_sent_again_blindly(
    api: HfApi, hub: HubServer, repo: Repo
) -> None:
    """The server takes the same body once more; only a parent keeps it out."""
    before = repo.head()
    hub.faults.add("POST", "*/commit/*", drop_after, times=2)
    with pytest.raises(FAILURES):
        upload(api)
    assert repo.titles() == ["mine", "initial commit"]
    sent = hub.requests("POST", "*/commit/*")[0]
    again = Request(hub.url + sent.path, sent.body, {"authorization": sent.headers["authorization"]})
    with pytest.raises(ConnectionError):
        urlopen(again)
    assert repo.titles() == ["mine", "mine", "initial commit"]
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.upload_file(
            repo_id=NAME,
            path_or_fileobj=b"2",
            path_in_repo="a.txt",
            commit_message="more",
            parent_commit=before,
        )
    assert caught.value.response.status_code == 412
    assert len(repo.titles()) == 3


def test_a_commit_dropped_afterwards_is_found_there_by_the_client(
    api: HfApi, hub: HubServer, repo: Repo
) -> None:
    hub.faults.add("POST", "*/commit/*", drop_after)
    with pytest.raises(FAILURES):
        upload(api)
    assert upload(api) == repo.head()
    assert repo.titles() == ["mine", "initial commit"]


def test_somebody_commits_in_between(api: HfApi, hub: HubServer, repo: Repo) -> None:
    hub.faults.add("POST", "*/commit/*", somebody_commits())
    with pytest.raises(errors.HfHubHTTPError) as caught:
        upload(api, parent_commit=repo.head())
    assert caught.value.response.status_code == 412
    upload(api, parent_commit=repo.head())
    assert repo.titles() == ["mine", "somebody else's commit", "initial commit"]
    assert repo.read("elsewhere.txt") == b"by somebody else\n"


@pytest.mark.parametrize("effect", [unavailable, drop], ids=["503", "drop"])
def test_create_repo_is_never_tried_again(
    api: HfApi, hub: HubServer, waits: list[float], effect: Effect
) -> None:
    hub.faults.add("POST", "/api/repos/create", effect)
    with pytest.raises((errors.HfHubHTTPError, *FAILURES)):
        api.create_repo(NAME)
    assert waits == []
    assert not hub.store.repo(NAME).exists()
    api.create_repo(NAME)


@patient_client
def test_a_broken_download_goes_on_where_it_stopped(
    api: HfApi, hub: HubServer, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda seconds: None))
    repo.commit({"w.safetensors": WEIGHTS}, "weights")
    hub.faults.add("GET", "*/resolve/*", cut(70_000))
    assert Path(api.hf_hub_download(NAME, "w.safetensors")).read_bytes() == WEIGHTS
    first, second = hub.requests("GET", "*/resolve/*")
    assert (first.status, second.status) == (200, 206)
    assert second.headers["range"] == "bytes=70000-"


def test_ranges(hub: HubServer, repo: Repo) -> None:
    repo.commit({"w.safetensors": WEIGHTS}, "weights")
    url = f"{hub.url}/{NAME}/resolve/main/w.safetensors"
    for wanted, data in (("10-19", WEIGHTS[10:20]), ("102390-", WEIGHTS[102390:]), ("-5", WEIGHTS[-5:])):
        response = http.get(url, headers={"Range": f"bytes={wanted}"})
        assert (response.status_code, response.content) == (206, data)
        assert response.headers["Content-Range"].endswith(f"/{len(WEIGHTS)}")
    assert http.get(url, headers={"Range": "bytes=102400-"}).status_code == 416


def test_a_download_met_by_503_is_left_to_the_caller(api: HfApi, hub: HubServer, repo: Repo) -> None:
    hub.faults.add("GET", "*/resolve/*", unavailable)
    with pytest.raises(errors.HfHubHTTPError):
        api.hf_hub_download(NAME, ".gitattributes")
    assert Path(api.hf_hub_download(NAME, ".gitattributes")).is_file()


def test_a_slow_answer_and_one_too_slow(api: HfApi, hub: HubServer, repo: Repo) -> None:
    hub.faults.add("GET", f"/api/models/{NAME}", slow(0.2), times=2)
    with pytest.raises(TIMEOUTS):
        api.model_info(NAME, timeout=0.05)
    began = time.monotonic()
    assert api.model_info(NAME, timeout=5).sha == repo.head()
    assert time.monotonic() - began >= 0.2


def test_a_hub_that_is_down_serves_nothing_until_it_is_up(
    api: HfApi, hub: HubServer, repo: Repo, waits: list[float]
) -> None:
    down = hub.faults.add("*", "*", unavailable, times=math.inf)
    with pytest.raises(errors.HfHubHTTPError):
        upload(api)
    assert down.happened == len(hub.log) > 0
    hub.faults.clear()
    assert upload(api) == repo.head()


def test_faults_count_and_let_the_first_pass(hub: HubServer, api: HfApi, repo: Repo) -> None:
    fault = hub.faults.add("GET", f"/api/models/{NAME}", unavailable, after=1)
    api.model_info(NAME)
    with pytest.raises(errors.HfHubHTTPError):
        api.model_info(NAME)
    api.model_info(NAME)
    assert fault.happened == 1

"""Pushing over a bad network: nothing lost, no commit doubled, no error that ends a training."""

import math
import shutil
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from tests.fakehub import faults
from tests.fakehub.faults import drop, drop_after, rate_limited, somebody_commits, unavailable
from tests.fakehub.helpers import NAME, WEIGHTS
from tests.fakehub.server import OTHER_TOKEN, TOKEN, HubServer
from tests.finished_runs import make_run
from timm_multimix import cli
from timm_multimix.connection import retry
from timm_multimix.connection.client import check_token
from timm_multimix.connection.names import parse_repo_id
from timm_multimix.errors import UsageError
from timm_multimix.hub.publish import publish_run
from timm_multimix.hub.push import push_files, tag_commit
from timm_multimix.hub.remote import WouldOverwrite
from timm_multimix.hub.target import open_repo
from timm_multimix.hub.upload import Uploader
from timm_multimix.options import parse_train_options
from timm_multimix.training import run as train

pytestmark = pytest.mark.usefixtures("as_tester")
FILES = {"README.md": b"# Hello\n", "config.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run."""
    make_run(tmp_path / "run")
    return tmp_path / "run"


def push(*argv: object) -> int:
    return cli.main(["push", *map(str, argv)])


COMMIT, CREATE, LFS = "*/commit/*", "/api/repos/create", "*/lfs/*"
MISHAPS = {
    "503 for the commit": [("POST", COMMIT, unavailable, 2)],
    "429 for the commit": [("POST", COMMIT, rate_limited(0), 2)],
    "lost before the commit": [("POST", COMMIT, drop, 2)],
    "lost after the commit": [("POST", COMMIT, drop_after, 1)],
    "lost after the commit, then no answer": [
        ("POST", COMMIT, drop_after, 1),
        ("GET", f"/api/models/{NAME}*", unavailable, 1),
    ],
    "somebody else's commit in between": [("POST", COMMIT, somebody_commits(), 1)],
    "no answer about the head": [("GET", f"/api/models/{NAME}*", unavailable, 2)],
    "weights lost on the way": [("PUT", "*", drop, 1)],
    "weights there, answer lost": [("PUT", "*", drop_after, 1)],
    "503 before the weights": [("POST", "*/info/lfs/objects/batch", unavailable, 1)],
    "no word on what is there": [("POST", "*/paths-info/*", unavailable, 2)],
    "metadata not checked": [("POST", "/api/validate-yaml", drop, 1)],
    "of everything a little": [
        ("POST", "*/preupload/*", rate_limited(0), 1),
        ("PUT", "*", unavailable, 1),
        ("POST", COMMIT, unavailable, 1),
        ("POST", COMMIT, drop_after, 1),
    ],
}


@pytest.mark.parametrize("mishaps", MISHAPS.values(), ids=list(MISHAPS))
def test_a_push_is_one_commit(
    connected: HubServer, mishaps: list[tuple[str, str, faults.Effect, int]]
) -> None:
    repo = connected.store.create(NAME)
    rules = [connected.faults.add(method, path, effect, times=n) for method, path, effect, n in mishaps]
    commit = push_files(HfApi(), NAME, lambda there: FILES, "mine")
    assert [rule.happened for rule in rules] == [rule.times for rule in rules]
    assert repo.titles().count("mine") == 1
    assert repo.head() == commit
    assert {name: repo.read(name) for name in FILES} == FILES


def test_unchanged_files_make_no_commit(connected: HubServer, tmp_path: Path) -> None:
    repo = connected.store.create(NAME)
    first = push_files(HfApi(), NAME, lambda there: FILES, "first")
    (tmp_path / "config.json").write_bytes(b"{}")
    same = FILES | {"config.json": tmp_path / "config.json"}
    assert push_files(HfApi(), NAME, lambda there: same, "again") == first == repo.head()
    (tmp_path / "config.json").write_bytes(b"[]")
    push_files(HfApi(), NAME, lambda there: same, "second")
    assert repo.titles() == ["second", "first", "initial commit"]
    assert repo.read("config.json") == b"[]"
    assert len(connected.requests("PUT")) == 1


def test_attempts_are_bounded(connected: HubServer) -> None:
    connected.store.create(NAME)
    connected.faults.add("POST", COMMIT, unavailable, times=math.inf)
    with pytest.raises(Exception, match="503"):
        push_files(HfApi(), NAME, lambda there: FILES, "mine")
    assert len(connected.requests("POST", COMMIT)) == retry.ATTEMPTS


def test_a_refusal_is_not_tried_again(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connected.store.create(NAME)
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    with pytest.raises(Exception, match="403"):
        push_files(HfApi(), NAME, lambda there: FILES, "mine")
    assert len(connected.requests("POST", COMMIT)) + len(connected.requests("POST", "*/preupload/*")) == 1


def test_the_server_says_how_long_to_wait(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", waited.append)
    connected.store.create(NAME)
    connected.faults.add("POST", COMMIT, rate_limited(7), times=1)
    connected.faults.add("POST", COMMIT, rate_limited(7000), times=1)
    push_files(HfApi(), NAME, lambda there: FILES, "mine")
    assert waited == [7, retry.LONGEST_PAUSE]


def test_tags_are_made_once_and_moved(connected: HubServer) -> None:
    repo = connected.store.create(NAME)
    first = push_files(HfApi(), NAME, lambda there: FILES, "first")
    connected.faults.add("POST", "*/tag/*", drop_after)
    tag_commit(HfApi(), NAME, "epoch-1", first)
    second = push_files(HfApi(), NAME, lambda there: FILES | {"config.json": b"[]"}, "second")
    with pytest.raises(WouldOverwrite, match="the tag epoch-1"):
        tag_commit(HfApi(), NAME, "epoch-1", second)
    assert repo.state()["tags"] == {"epoch-1": first}
    tag_commit(HfApi(), NAME, "epoch-1", second, overwrite=True)
    assert repo.state()["tags"] == {"epoch-1": second}


def test_patience_ends(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connected.store.create(NAME)
    connected.faults.add("POST", COMMIT, unavailable, times=math.inf)
    monkeypatch.setattr(retry, "patience", lambda: -1.0)
    with pytest.raises(Exception, match="503"):
        push_files(HfApi(), NAME, lambda there: FILES, "mine")
    assert len(connected.requests("POST", COMMIT)) == 1


# opening


def test_a_new_repository(connected: HubServer) -> None:
    connected.faults.add("POST", CREATE, unavailable)
    connected.faults.add("POST", CREATE, drop_after)
    open_repo(NAME, private=True)
    open_repo(NAME, private=True)
    assert connected.store.repo(NAME).state()["private"]


def test_a_public_repository_does_not_become_private(connected: HubServer) -> None:
    open_repo(NAME)
    with pytest.raises(UsageError, match="is public"):
        open_repo(NAME, private=True)


@pytest.mark.parametrize(
    "name", ["net", "a/b/c", "", "/x", "tester/", "te ster/net", "a\nb/c", "../x", "a/b.git"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="must be USER/NAME") as caught:
        parse_repo_id(name)
    assert "\n" not in str(caught.value)


def test_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="HF_TOKEN or run `hf auth login`"):
        check_token()
    (tmp_path / "none").write_text(TOKEN)  # as `hf auth login` leaves it
    check_token()


@pytest.mark.parametrize(
    ("repo_id", "token", "said"),
    [("other/net", TOKEN, "403"), (NAME, "nobody's token", "401")],
)
def test_who_may_not_write(
    connected: HubServer, monkeypatch: pytest.MonkeyPatch, repo_id: str, token: str, said: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UsageError, match=f"cannot write to {repo_id}.*{said}") as caught:
        open_repo(repo_id)
    assert token not in str(caught.value)


def test_no_hub(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=f"cannot write to {NAME} on the Hub"):
        open_repo(NAME)


@pytest.mark.parametrize(
    ("repo_id", "token", "said"),
    [(NAME, "", "no token"), ("net", TOKEN, "USER/NAME"), ("other/net", TOKEN, "cannot write to other/net")],
)
def test_a_training_that_could_not_publish_does_not_start(
    connected: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo_id: str, token: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    argv = ["--workers", "0", "--push-to-hub", "--hub-model-id", repo_id]
    with pytest.raises(UsageError, match=said) as caught:
        train(parse_train_options(argv))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()
    assert not connected.store.repo(NAME).exists()


# the command


def test_a_finished_run(connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(run, NAME, "--private", "--license", "mit", "--tag-epoch") == 0
    repo = connected.store.repo(NAME)
    names = {".gitattributes", "README.md", "config.json", "curves.png", "model.safetensors", "record.json"}
    assert set(repo.files()) == names
    assert repo.titles() == ["Result, epoch 3 of 3: top-1 60.00 %", "initial commit"]
    assert (repo.state()["private"], repo.state()["tags"]) == (True, {"epoch-3": repo.head()})
    assert b"license: mit" in repo.read("README.md")
    assert b'"license": "mit"' in repo.read("config.json")
    assert not (run / "hub").exists()

    for again in ([], ["--tag-epoch"]):
        assert push(run, NAME, *again) == 0
    assert len(repo.titles()) == 2
    told = capsys.readouterr()
    assert TOKEN not in told.out + told.err
    assert repo.head() in told.out


def test_a_failed_push_can_be_repeated(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connected.faults.add("POST", COMMIT, unavailable, times=math.inf)
    assert push(run, NAME) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    connected.faults.clear()
    assert push(run, NAME) == 0
    assert len(connected.store.repo(NAME).titles()) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nowhere", NAME], "not a run's directory"),
        (["run", "net"], "USER/NAME"),
        (["run", NAME, "--license", "My Licence"], "licence"),
        (["run"], "USER/NAME"),
        (["unfinished", NAME], "not finished"),
        (["damaged", NAME], "damaged"),
        (["run", NAME, "--dry-run", "run"], "exists"),
    ],
)
def test_mistakes(
    argv: list[str], said: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent)
    shutil.copytree("run", "unfinished")
    Path("unfinished/summary.json").unlink()
    shutil.copytree("run", "damaged")
    Path("damaged/model/config.json").write_text("{")
    assert push(*argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_dry_run_needs_no_hub(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert push(run, NAME, "--dry-run", tmp_path / "dry") == 0
    names = {path.name for path in (tmp_path / "dry").iterdir()}
    assert names == {"README.md", "config.json", "curves.png", "model.safetensors", "record.json"}


# in the background


def offer(uploader: Uploader, run: Path, epoch: int) -> None:
    summary = make_run(run.parent / f"copy{epoch}", epochs=3)
    uploader.offer(summary | {"num_processes": epoch}, epoch, 10.0 * epoch)  # so that each record is another


def test_every_kept_epoch_with_its_tag(connected: HubServer, run: Path) -> None:
    repo = connected.store.create(NAME)
    connected.faults.add("POST", COMMIT, drop_after, times=2)
    connected.faults.add("PUT", "*", unavailable)
    uploader = Uploader(run, NAME, tag_epochs=True)
    for epoch in (1, 2):
        offer(uploader, run, epoch)
    uploader.finish()
    assert [title[:12] for title in repo.titles()] == [
        "Result, epoc",
        "Epoch 2 of 3",
        "Epoch 1 of 3",
        "initial comm",
    ]
    history = [commit["id"] for commit in repo.history()]
    assert repo.state()["tags"] == {"epoch-3": history[0], "epoch-2": history[1], "epoch-1": history[2]}
    assert not (run / "hub").exists()


def test_without_tags_the_newest_wins(connected: HubServer, run: Path) -> None:
    repo = connected.store.create(NAME)
    connected.faults.add("POST", COMMIT, faults.slow(0.5))
    uploader = Uploader(run, NAME)
    for epoch in (1, 2, 3):
        offer(uploader, run, epoch)
    assert len(list((run / "hub").iterdir())) <= 2
    uploader.finish()
    titles = repo.titles()
    assert titles[0] == "Result, epoch 3 of 3: top-1 60.00 %"
    assert 2 <= len(titles) <= 4
    assert repo.state()["tags"] == {}


def test_a_hub_that_stays_away_is_a_warning(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = connected.store.create(NAME)
    connected.faults.add("*", "*", unavailable, times=math.inf)
    uploader = Uploader(run, NAME, tag_epochs=True)
    for epoch in (1, 2):
        offer(uploader, run, epoch)
    uploader.finish()
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"warning: upload to {NAME}: ") for line in lines)
    assert lines[-1].endswith(f"finish it with `timm-multimix push {run} {NAME}`")
    assert TOKEN not in "".join(lines)
    assert repo.titles() == ["initial commit"]

    connected.faults.clear()
    publish_run(run, NAME, tag=False)
    assert [title[:12] for title in repo.titles()] == [
        "Result, epoc",
        "Epoch 2 of 3",
        "Epoch 1 of 3",
        "initial comm",
    ]
    assert set(repo.state()["tags"]) == {"epoch-1", "epoch-2", "epoch-3"}
    assert not (run / "hub").exists()


def test_a_new_uploader_continues_a_killed_one(connected: HubServer, run: Path) -> None:
    connected.faults.add("*", "*", unavailable, times=math.inf)
    uploader = Uploader(run, NAME, tag_epochs=True)
    offer(uploader, run, 1)
    (run / "hub/.tmp-half").mkdir()
    connected.faults.clear()
    repo = connected.store.create(NAME)
    Uploader(run, NAME, tag_epochs=True).finish()
    assert "epoch-1" in repo.state()["tags"]
    assert not (run / "hub/.tmp-half").exists()


def test_files_that_cannot_be_staged_are_a_warning(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connected.store.create(NAME)
    uploader = Uploader(run, NAME)
    (run / "curves.png").unlink()
    uploader.offer({"dataset_kind": "digits"}, 1, 10.0)
    uploader.finish()
    error = capsys.readouterr().err
    assert "cannot be staged" in error
    assert error.splitlines()[-1].endswith(f"finish it with `timm-multimix push {run} {NAME}`")


def test_a_repository_that_is_made_when_the_hub_is_back(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by a resumed run, which trains during an outage."""
    connected.faults.add("*", "*", unavailable, times=math.inf)
    uploader = Uploader(run, NAME, open_first=lambda: open_repo(NAME, private=True))
    offer(uploader, run, 1)
    warned = ""
    while "\n" not in warned:
        warned += capsys.readouterr().err
        time.sleep(0.01)
    assert warned.startswith(f"warning: upload to {NAME}: cannot write to {NAME} on the Hub: ")
    connected.faults.clear()
    uploader.finish()
    repo = connected.store.repo(NAME)
    assert repo.titles()[0].startswith("Result")
    assert repo.state()["private"]


@pytest.mark.parametrize("token", [TOKEN, "", "nobody's token"])
def test_a_run_that_is_finished_stays_so_without_a_hub(
    connected: HubServer,
    run: Path,
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    connected.faults.add("*", "*", unavailable, times=math.inf)
    argv = ["--output", str(run), "--resume", "auto", "--push-to-hub", "--hub-model-id", NAME]
    assert train(parse_train_options(argv)).summary["top1"] == 60.0
    error = capsys.readouterr().err
    assert error.startswith(f"warning: upload to {NAME}: ")
    assert error.count("\n") == 1

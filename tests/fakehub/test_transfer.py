"""The real client's uploads to the Hub on loopback, and its downloads."""

from pathlib import Path

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    errors,
    get_hf_file_metadata,
    hf_hub_url,
)

from tests.fakehub.helpers import NAME, WEIGHTS, refusal
from tests.fakehub.server import TOKEN, HubServer


def test_upload_folder_and_again(api: HfApi, hub: HubServer, directory: Path) -> None:
    repo = hub.store.create(NAME)
    commit = api.upload_folder(
        repo_id=NAME, folder_path=directory, commit_message="first", commit_description="why"
    )
    assert repo.titles() == ["first", "initial commit"]
    assert repo.history()[0] | {"id": commit.oid, "message": "why"} == repo.history()[0]
    assert repo.read("model.safetensors") == WEIGHTS
    assert repo.read("figures/curves.svg") == b"<svg/>"
    assert {path for path, entry in repo.files().items() if entry.sha256} == {"model.safetensors"}
    assert len(hub.requests("PUT")) == len(hub.requests("POST", "*/verify")) == 1

    again = api.upload_folder(repo_id=NAME, folder_path=directory)
    assert again.oid == commit.oid
    (directory / "config.json").write_text('{"new": 1}')
    api.upload_folder(repo_id=NAME, folder_path=directory, commit_message="second")
    assert repo.titles() == ["second", "first", "initial commit"]
    assert len(hub.requests("PUT")) == 1


def test_an_uploaded_object_is_not_sent_twice(api: HfApi, hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    for path in ("a.safetensors", "b.safetensors"):
        api.upload_file(repo_id=NAME, path_or_fileobj=WEIGHTS, path_in_repo=path)
    assert repo.read("a.safetensors") == repo.read("b.safetensors") == WEIGHTS
    assert len(hub.requests("PUT")) == 1


def test_commit_on_a_stale_parent(api: HfApi, hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    stale = repo.head()
    new = repo.commit({"other.txt": b"1"}, "other")
    operations = [CommitOperationAdd("mine.txt", b"2"), CommitOperationDelete("other.txt")]
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.create_commit(NAME, operations, commit_message="mine", parent_commit=stale)
    assert refusal(caught)[0] == 412
    assert repo.head() == new
    operations = [CommitOperationAdd("mine.txt", b"2"), CommitOperationDelete("other.txt")]
    api.create_commit(NAME, operations, commit_message="mine", parent_commit=new)
    assert sorted(repo.files()) == [".gitattributes", "mine.txt"]


def test_delete_a_directory_and_what_is_not_there(api: HfApi, hub: HubServer, directory: Path) -> None:
    repo = hub.store.create(NAME)
    api.upload_folder(repo_id=NAME, folder_path=directory)
    api.delete_folder("figures", NAME)
    assert "figures/curves.svg" not in repo.files()
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.delete_file("figures/curves.svg", NAME)
    assert refusal(caught) == (404, "EntryNotFound")


@pytest.mark.parametrize(
    "metadata", ["license: [", "license: 1", "- a", "model-index: [{name: a}]", "tags: [!!binary aGk=]"]
)
def test_a_bad_card_is_refused(api: HfApi, hub: HubServer, metadata: str) -> None:
    repo = hub.store.create(NAME)
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(
            repo_id=NAME, path_or_fileobj=f"---\n{metadata}\n---\n".encode(), path_in_repo="README.md"
        )
    assert repo.titles() == ["initial commit"]


@pytest.mark.parametrize(("value", "fine"), [("0.5", True), (".nan", False), ("!!binary aGk=", False)])
def test_results_in_a_card(api: HfApi, hub: HubServer, value: str, fine: bool) -> None:
    metric = f"{{type: accuracy, value: {value}}}"
    result = f"{{task: {{type: t}}, dataset: {{type: d, name: d}}, metrics: [{metric}]}}"
    card = f"---\nmodel-index: [{{name: n, results: [{result}]}}]\n---\n".encode()
    repo = hub.store.create(NAME)
    if fine:
        api.upload_file(repo_id=NAME, path_or_fileobj=card, path_in_repo="README.md")
        assert repo.read("README.md") == card
    else:
        with pytest.raises(ValueError, match="value"):
            api.upload_file(repo_id=NAME, path_or_fileobj=card, path_in_repo="README.md")


def test_downloads_of_revisions(api: HfApi, hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    old = repo.commit({"a.txt": b"old"}, "old")
    api.create_tag(NAME, tag="v1")
    repo.commit({"a.txt": b"new"}, "new")
    for revision, content in ((None, b"new"), ("v1", b"old"), (old, b"old"), ("main", b"new")):
        assert Path(api.hf_hub_download(NAME, "a.txt", revision=revision)).read_bytes() == content


def test_metadata_of_a_file(hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    commit = repo.commit({"a.txt": b"text", "w.safetensors": WEIGHTS}, "both")
    for path in ("a.txt", "w.safetensors"):
        found = get_hf_file_metadata(hf_hub_url(NAME, path, endpoint=hub.url), token=TOKEN)
        entry = repo.entry(path)
        assert (found.commit_hash, found.etag, found.size) == (commit, entry.content, entry.size)


def test_snapshot_is_downloaded_once(api: HfApi, hub: HubServer, directory: Path) -> None:
    repo = hub.store.create(NAME)
    api.upload_folder(repo_id=NAME, folder_path=directory)
    place = Path(api.snapshot_download(NAME))
    found = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    assert found == {path: repo.read(path) for path in repo.files()}
    count = len(hub.requests("GET", "*/resolve/*"))
    repo.commit({"config.json": b"[]"}, "other")
    assert (Path(api.snapshot_download(NAME)) / "config.json").read_bytes() == b"[]"
    assert len(hub.requests("GET", "*/resolve/*")) == count + 1


def test_nothing_is_lost_when_the_server_starts_anew(hub: HubServer, api: HfApi, directory: Path) -> None:
    hub.store.create(NAME)
    api.upload_folder(repo_id=NAME, folder_path=directory)
    with HubServer(hub.store.directory) as second:
        place = HfApi(endpoint=second.url, token=TOKEN).hf_hub_download(NAME, "model.safetensors")
    assert Path(place).read_bytes() == WEIGHTS

"""The real client and repositories on the loopback Hub: creation, description, names, permissions."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi, errors

from tests.fakehub.helpers import NAME, WEIGHTS, refusal
from tests.fakehub.server import HubServer
from timm_multimix._compat.hub import http


def test_whoami(api: HfApi) -> None:
    assert api.whoami()["name"] == "tester"
    with pytest.raises(http.HTTPError) as caught:
        HfApi(endpoint=api.endpoint, token="nonsense").whoami()
    assert refusal(caught)[0] == 401


def test_create_repo_once(api: HfApi, hub: HubServer) -> None:
    url = api.create_repo(NAME)
    assert (url, url.repo_id) == (f"{hub.url}/{NAME}", NAME)
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.create_repo(NAME)
    assert refusal(caught)[0] == 409
    assert api.create_repo(NAME, exist_ok=True) == url
    assert hub.store.repo(NAME).titles() == ["initial commit"]
    assert api.create_repo(NAME, repo_type="dataset").repo_type == "dataset"


def test_delete_repo(api: HfApi) -> None:
    api.create_repo(NAME)
    api.delete_repo(NAME)
    assert not api.repo_exists(NAME)


def test_tags_and_branches(api: HfApi, hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    first = repo.head()
    api.create_tag(NAME, tag="epoch/1")
    api.create_branch(NAME, branch="side")
    second = repo.commit({"a.txt": b"1"}, "more")
    api.create_tag(NAME, tag="epoch/2", revision=second)
    api.upload_file(repo_id=NAME, path_or_fileobj=b"2", path_in_repo="side.txt", revision="side")
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.create_tag(NAME, tag="epoch/1")
    assert refusal(caught)[0] == 409
    api.create_tag(NAME, tag="epoch/1", exist_ok=True)
    found = api.list_repo_refs(NAME)
    assert {tag.name: tag.target_commit for tag in found.tags} == {"epoch/1": first, "epoch/2": second}
    assert {branch.name for branch in found.branches} == {"main", "side"}
    assert [commit.commit_id for commit in api.list_repo_commits(NAME)] == [second, first]
    assert [commit.commit_id for commit in api.list_repo_commits(NAME, revision="epoch/1")] == [first]
    assert api.list_repo_files(NAME, revision="side") == [".gitattributes", "side.txt"]
    api.delete_tag(NAME, tag="epoch/1")
    api.delete_branch(NAME, branch="side")
    assert repo.state()["tags"] == {"epoch/2": second}
    assert repo.state()["branches"] == {"main": second}


def test_info_tree_and_paths(api: HfApi, hub: HubServer, directory: Path) -> None:
    repo = hub.store.create(NAME)
    (directory / "README.md").write_text(
        "---\nlicense: mit\npipeline_tag: image-classification\ntags: [a, b]\n---\n"
    )
    api.upload_folder(repo_id=NAME, folder_path=directory)
    info = api.model_info(NAME, files_metadata=True)
    assert (info.sha, info.private, info.pipeline_tag, info.tags) == (
        repo.head(),
        False,
        "image-classification",
        ["a", "b"],
    )
    assert info.card_data.license == "mit"
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert sizes["model.safetensors"] == len(WEIGHTS)
    assert {item.path for item in api.list_repo_tree(NAME)} == {*sizes, "figures"} - {"figures/curves.svg"}
    assert [item.path for item in api.list_repo_tree(NAME, "figures")] == ["figures/curves.svg"]
    assert {item.path for item in api.list_repo_tree(NAME, recursive=True)} == {*sizes, "figures"}
    weights, figures = api.get_paths_info(NAME, ["model.safetensors", "figures", "nothing"])
    assert (weights.lfs.size, figures.path) == (len(WEIGHTS), "figures")
    assert api.file_exists(NAME, "config.json")
    assert not api.file_exists(NAME, "nothing")
    with pytest.raises(errors.EntryNotFoundError):
        list(api.list_repo_tree(NAME, "nothing"))


def test_what_is_not_there(api: HfApi, anonymous: HfApi, hub: HubServer) -> None:
    with pytest.raises(errors.RepositoryNotFoundError) as caught:
        api.model_info(NAME)
    assert refusal(caught) == (404, "RepoNotFound")
    with pytest.raises(errors.RepositoryNotFoundError) as caught:
        anonymous.model_info(NAME)
    assert refusal(caught)[0] == 401
    hub.store.create(NAME)
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info(NAME, revision="nothing")
    with pytest.raises(errors.EntryNotFoundError):
        api.hf_hub_download(NAME, "nothing")
    with pytest.raises(errors.RevisionNotFoundError):
        api.hf_hub_download(NAME, "config.json", revision="nothing")


def test_only_the_owner_writes(api: HfApi, other: HfApi, anonymous: HfApi, hub: HubServer) -> None:
    repo = hub.store.create(NAME)
    for stranger, status in ((other, 403), (anonymous, 401)):
        with pytest.raises(errors.HfHubHTTPError) as caught:
            stranger.upload_file(repo_id=NAME, path_or_fileobj=b"1", path_in_repo="a.txt")
        assert refusal(caught)[0] == status
        with pytest.raises(errors.HfHubHTTPError):
            stranger.create_repo("tester/more")
    assert repo.titles() == ["initial commit"]
    assert not api.repo_exists("tester/more")


def test_a_private_repo_is_there_for_its_owner_only(api: HfApi, other: HfApi, anonymous: HfApi) -> None:
    api.create_repo(NAME, private=True)
    api.upload_file(repo_id=NAME, path_or_fileobj=b"secret", path_in_repo="a.txt")
    assert api.model_info(NAME).private
    for stranger in (other, anonymous):
        with pytest.raises(errors.RepositoryNotFoundError):
            stranger.model_info(NAME)
        with pytest.raises(errors.RepositoryNotFoundError):
            stranger.hf_hub_download(NAME, "a.txt")
    assert Path(api.hf_hub_download(NAME, "a.txt")).read_bytes() == b"secret"
    api.update_repo_settings(NAME, private=False)
    assert not anonymous.model_info(NAME).private


def test_a_gated_repo_shows_its_description_only(api: HfApi, other: HfApi, anonymous: HfApi) -> None:
    api.create_repo(NAME)
    api.update_repo_settings(NAME, gated="auto")
    for stranger, status in ((other, 403), (anonymous, 401)):
        assert stranger.model_info(NAME).gated == "auto"
        with pytest.raises(errors.GatedRepoError) as caught:
            stranger.hf_hub_download(NAME, ".gitattributes")
        assert refusal(caught) == (status, "GatedRepo")
    assert Path(api.hf_hub_download(NAME, ".gitattributes")).is_file()


def test_requests_are_logged(api: HfApi, anonymous: HfApi, hub: HubServer) -> None:
    hub.store.create(NAME)
    api.model_info(NAME)
    anonymous.model_info(NAME)
    assert [(one.status, one.user) for one in hub.requests("GET", f"/api/models/{NAME}")] == [
        (200, "tester"),
        (200, None),
    ]
    assert hub.requests("POST") == []

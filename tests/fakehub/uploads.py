"""The routes of an upload, in their order: how to send, where to, the LFS objects, the commit."""

import base64
import hashlib
import json
from typing import Any

from tests.fakehub.entries import Entry, is_large, lfs_entry
from tests.fakehub.messages import Request, Response, answer
from tests.fakehub.routing import route
from tests.fakehub.store import HubError, Repo


@route("POST", "{repo}/preupload/{revision}")
def preupload(request: Request, kind: str, name: str, revision: str) -> Response:
    """Say how to upload each file, and which are uploaded already."""
    there, told = request.repo(kind, name, write=True).files(revision), []
    for file in request.json()["files"]:
        path = file["path"]
        large = is_large(path, file["size"], base64.b64decode(file["sample"]))
        item = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        told.append(item | ({"oid": there[path].content} if path in there else {}))
    return answer({"files": told})


@route("POST", r"/{any_repo}\.git/info/lfs/objects/batch")
def batch(request: Request, name: str, kind: str = "models") -> Response:
    """Return the upload address of each object; none for objects that are stored already."""
    repo, told = request.repo(kind, name, write=True), []
    for item in request.json()["objects"]:
        href = f"{request.url}/lfs/{kind}/{name}/{item['oid']}"
        actions = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
        there = repo.content(item["oid"]).is_file()
        told.append({"oid": item["oid"], "size": item["size"]} | ({} if there else {"actions": actions}))
    return answer({"transfer": "basic", "objects": told})


@route("PUT", "/lfs/{any_repo}/{oid}")
def upload(request: Request, kind: str, name: str, oid: str) -> Response:
    """Keep an object; like a signed address, this asks for no token."""
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise HubError(400, "the content has another SHA-256")
    repo = request.store.repo(name, kind)
    if not repo.exists():
        raise HubError(404, "Repository not found", "RepoNotFound")
    repo.add_large(request.body)
    return answer({})


@route("POST", "/lfs/{any_repo}/{oid}/verify")
def verify(request: Request, kind: str, name: str, oid: str) -> Response:
    content = request.repo(kind, name, write=True).content(oid)
    if not content.is_file() or content.stat().st_size != request.json()["size"]:
        raise HubError(404, "no such object")
    return answer({})


@route("POST", "{repo}/commit/{revision}")
def commit(request: Request, kind: str, name: str, revision: str) -> Response:
    repo = request.repo(kind, name, write=True)
    header, *operations = (json.loads(line) for line in request.body.splitlines())
    words = header["value"]
    parent = words.get("parentCommit")
    with repo.lock:
        changes = read_changes(repo, revision, [(item["key"], item["value"]) for item in operations])
        oid = repo.commit(changes, words["summary"], words["description"], branch=revision, parent=parent)
    return answer({"commitOid": oid, "commitUrl": f"{request.address(kind, name)}/commit/{oid}"})


def read_changes(
    repo: Repo, revision: str, operations: list[tuple[str, dict[str, Any]]]
) -> dict[str, bytes | Entry | None]:
    """Return the content of each path in the lines of a commit.

    Raises:
        HubError: 400 for an LFS object that was never uploaded, 404 for removing what is not there.
    """
    changes: dict[str, bytes | Entry | None] = {}
    files = repo.files(revision)
    for key, value in operations:
        path = value["path"]
        if key == "file":
            changes[path] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if not repo.content(value["oid"]).is_file():
                raise HubError(400, f"LFS pointer pointed to a file that does not exist: {path}")
            changes[path] = lfs_entry(value["oid"], value["size"])
        elif key in ("deletedFile", "deletedFolder"):
            gone = [file for file in files if file == path or file.startswith(f"{path.rstrip('/')}/")]
            if not gone:
                raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
            changes.update(dict.fromkeys(gone))
        else:
            raise HubError(400, f"unknown operation: {key}")
    return changes

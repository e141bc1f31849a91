"""The Hub's routes of repositories: creation, description, content, branches and tags.

Not here: spaces, discussions, squashing, Xet, lists in pages.
"""

from typing import Any

from tests.fakehub.cards import check_card, read_metadata
from tests.fakehub.entries import Entry
from tests.fakehub.messages import Request, Response, answer
from tests.fakehub.routing import route
from tests.fakehub.store import HubError, Repo


@route("GET", "/api/whoami-v2")
def whoami(request: Request) -> Response:
    if request.user is None:
        raise HubError(401, "Invalid username or password.")
    token = {"role": "write", "displayName": "test"}
    user = {"type": "user", "name": request.user, "fullname": request.user, "orgs": []}
    return answer({**user, "auth": {"accessToken": token}})


@route("POST", "/api/repos/create")
def create_repo(request: Request) -> Response:
    wanted = request.json()
    kind = (wanted.get("type") or "model") + "s"
    name = f"{wanted.get('organization') or request.user}/{wanted['name']}"
    request.must_own(name.partition("/")[0])
    private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
    told = {"url": request.address(kind, name), "name": name, "id": name}
    try:
        request.store.create(name, kind, private=private)
    except HubError as error:  # the client reads the url from this answer too
        return answer({**told, "error": error.message}, error.status)
    return answer(told)


@route("DELETE", "/api/repos/delete")
def delete_repo(request: Request) -> Response:
    wanted = request.json()
    name = f"{wanted.get('organization') or request.user}/{wanted['name']}"
    request.store.delete(request.repo((wanted.get("type") or "model") + "s", name, write=True))
    return answer({})


@route("PUT", "{repo}/settings")
def change_settings(request: Request, kind: str, name: str) -> Response:
    repo, wanted = request.repo(kind, name, write=True), request.json()
    if "gated" in wanted:
        repo.update(gated=wanted["gated"])
    if "visibility" in wanted or "private" in wanted:
        repo.update(private=wanted.get("visibility") == "private" or bool(wanted.get("private")))
    return answer({})


@route("POST", "/api/validate-yaml")
def validate_yaml(request: Request) -> Response:
    errors, warnings = check_card(request.json()["content"])
    told = {"errors": [{"message": text} for text in errors], "warnings": [{"message": t} for t in warnings]}
    return answer(told, 400 if errors else 200)


def large_part(entry: Entry) -> dict[str, Any]:
    """The Hub's description of a file's LFS object, if it has one."""
    if entry.sha256 is None:
        return {}
    large = {
        "oid": entry.sha256,
        "sha256": entry.sha256,
        "size": entry.size,
        "pointerSize": entry.pointer_size,
    }
    return {"lfs": large}


@route("GET", "{repo}(?:/revision/{revision})?")
def info(request: Request, kind: str, name: str, revision: str = "main") -> Response:
    repo = request.repo(kind, name)
    state, head, files = repo.state(), repo.load_commit(revision), repo.files(revision)
    card = (
        read_metadata(repo.read("README.md", revision).decode(errors="replace"))
        if "README.md" in files
        else {}
    )
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in files]
    if request.asks("blobs"):
        for sibling, entry in zip(siblings, files.values(), strict=True):
            sibling.update(blobId=entry.oid, size=entry.size, **large_part(entry))
    told = {
        "id": name,
        "author": repo.owner,
        "sha": head["id"],
        "lastModified": head["date"],
        "disabled": False,
    }
    told |= {"private": state["private"], "gated": state["gated"], "createdAt": state["created"]}
    told |= {"siblings": siblings, "cardData": card, "tags": card.get("tags", []), "downloads": 0, "likes": 0}
    if kind == "models":
        told |= {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
    return answer(told)


def describe(path: str, files: dict[str, Entry]) -> dict[str, Any] | None:
    """A file or directory as the tree shows it; None where there is neither."""
    if path in files:
        entry = files[path]
        return {"type": "file", "path": path, "oid": entry.oid, "size": entry.size, **large_part(entry)}
    if any(name.startswith(f"{path}/") for name in files):
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    return None


@route("GET", "{repo}/tree/{revision}(?:/{path})?")
def tree(request: Request, kind: str, name: str, revision: str, path: str = "") -> Response:
    files = request.repo(kind, name).files(revision)
    inside = f"{path}/" if path else ""
    below = [file for file in files if file.startswith(inside)]
    if path and not below:
        raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
    paths: dict[str, None] = {}
    for file in below:
        steps = file.removeprefix(inside).split("/")
        depth = len(steps) if request.asks("recursive") else 1
        paths.update((inside + "/".join(steps[:count]), None) for count in range(1, depth + 1))
    return answer([describe(item, files) for item in paths])


@route("POST", "{repo}/paths-info/{revision}")
def paths_info(request: Request, kind: str, name: str, revision: str) -> Response:
    files = request.repo(kind, name).files(revision)
    found = (describe(path, files) for path in request.form().get("paths", []))
    return answer([item for item in found if item])


@route("GET", "{repo}/refs")
def refs(request: Request, kind: str, name: str) -> Response:
    state = request.repo(kind, name).state()
    told: dict[str, list[dict[str, str]]] = {"converts": []}
    for group, prefix in (("branches", "heads"), ("tags", "tags")):
        items = state[group].items()
        told[group] = [{"name": n, "ref": f"refs/{prefix}/{n}", "targetCommit": oid} for n, oid in items]
    return answer(told)


@route("GET", "{repo}/commits/{revision}")
def commits(request: Request, kind: str, name: str, revision: str) -> Response:
    repo = request.repo(kind, name)
    told = [
        {key: commit[key] for key in ("id", "title", "message", "date")} for commit in repo.history(revision)
    ]
    return answer([{**commit, "authors": [{"user": repo.owner}]} for commit in told])


def add_name(repo: Repo, group: str, name: str, revision: str) -> Response:
    """A new branch or tag at a revision."""
    with repo.lock:
        names = repo.state()[group]
        if name in names:
            raise HubError(409, f"Reference already exists: {name}")
        repo.update(**{group: {**names, name: repo.head(revision)}})
    return answer({})


def remove_name(repo: Repo, group: str, name: str) -> Response:
    with repo.lock:
        names = repo.state()[group]
        if name not in names:
            raise HubError(404, f"Invalid rev id: {name}", "RevisionNotFound")
        repo.update(**{group: {key: oid for key, oid in names.items() if key != name}})
    return answer({})


@route("POST", "{repo}/branch/{revision}")
def create_branch(request: Request, kind: str, name: str, revision: str) -> Response:
    start = (request.json() if request.body else {}).get("startingPoint") or "main"
    return add_name(request.repo(kind, name, write=True), "branches", revision, start)


@route("DELETE", "{repo}/branch/{revision}")
def delete_branch(request: Request, kind: str, name: str, revision: str) -> Response:
    if revision == "main":
        raise HubError(403, "Cannot delete the branch main")
    return remove_name(request.repo(kind, name, write=True), "branches", revision)


@route("POST", "{repo}/tag/{revision}")
def create_tag(request: Request, kind: str, name: str, revision: str) -> Response:
    return add_name(request.repo(kind, name, write=True), "tags", request.json()["tag"], revision)


@route("DELETE", "{repo}/tag/{revision}")
def delete_tag(request: Request, kind: str, name: str, revision: str) -> Response:
    return remove_name(request.repo(kind, name, write=True), "tags", revision)

"""The route of downloads: whole files, or from some byte on."""

import re

from tests.fakehub.entries import Entry
from tests.fakehub.messages import Request, Response, answer
from tests.fakehub.routing import route
from tests.fakehub.store import HubError, Repo


@route("GET", "/{any_repo}/resolve/{revision}/{path}")
def resolve(request: Request, name: str, revision: str, path: str, kind: str = "models") -> Response:
    """A file, or what the client asks about it beforehand (HEAD)."""
    repo = request.repo(kind, name)
    commit = repo.head(revision)
    try:
        check_gate(request, repo)
        entry = repo.entry(path, commit)
    except HubError as error:
        return answer({"error": error.message}, error.status, X_Error_Code=error.code, X_Repo_Commit=commit)
    response = serve(repo.content(entry.content).read_bytes(), request.headers.get("range"))
    response.headers |= file_headers(entry, commit)
    return response


def check_gate(request: Request, repo: Repo) -> None:
    """Files of a gated repository are for its owner only; its description is for everybody."""
    if repo.state()["gated"] and request.user != repo.owner:
        words = f"Access to {repo.kind[:-1]} {repo.name} is restricted."
        raise HubError(403 if request.user else 401, words, "GatedRepo")


def file_headers(entry: Entry, commit: str) -> dict[str, str]:
    headers = {"X-Repo-Commit": commit, "ETag": f'"{entry.content}"', "Accept-Ranges": "bytes"}
    if entry.sha256:
        headers |= {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(entry.size)}
    return headers


def serve(data: bytes, wanted: str | None) -> Response:
    """The bytes, or the part of them that a Range header names."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not found or found.groups() == ("", ""):
        return Response(200, {}, data)
    first, last = found.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= stop:
        return Response(416, {"Content-Range": f"bytes */{len(data)}"})
    return Response(206, {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}, data[start:stop])

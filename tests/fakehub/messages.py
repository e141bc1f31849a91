"""Requests to the test Hub and its answers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.fakehub.store import HubError, Repo, Store

REPO_IN_PATH = re.compile(
    r"/(?:api/|lfs/)?(?P<kind>models/|datasets/)?(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?(?:/|$)"
)


@dataclass
class Request:
    """A request as it came in; `path` is still quoted, `user` is whose token it carries."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    store: Store
    url: str
    user: str | None = None

    def address(self, kind: str, name: str) -> str:
        """Return the address of a repository's page."""
        return f"{self.url}/{'' if kind == 'models' else f'{kind}/'}{name}"

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    def asks(self, name: str) -> bool:
        """Whether a query parameter is true."""
        return parse_qs(self.query).get(name, [""])[0].lower() in ("1", "true")

    def repo(self, kind: str, name: str, *, write: bool = False) -> Repo:
        """The repository, if the sender may see it, or write to it.

        Raises:
            HubError: 401, 403 or 404, as the Hub does: a repository that one may not see does not exist.
        """
        repo = self.store.repo(unquote(name), kind)
        visible = repo.exists() and (not repo.state()["private"] or self.user == repo.owner)
        if not visible:
            status = 404 if self.user else 401
            raise HubError(status, "Repository not found", "RepoNotFound")
        if write:
            self.must_own(repo.owner)
        return repo

    def must_own(self, owner: str) -> None:
        """Refuse writing under somebody else's name."""
        if self.user is None:
            raise HubError(401, "Invalid username or password.")
        if self.user != owner:
            raise HubError(403, f"You don't have the rights to write under the namespace {owner}")

    def target(self) -> Repo:
        """The repository that the path names, for the faults."""
        found = REPO_IN_PATH.match(self.path)
        assert found, f"no repository in {self.path}"
        return self.store.repo(found["name"], (found["kind"] or "models/").rstrip("/"))


@dataclass
class Response:
    """An answer. `cut`: break the connection after that many bytes of the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


@dataclass(frozen=True)
class Logged:
    """A line of the request log. `status` is 0 where the connection was dropped unanswered."""

    method: str
    path: str
    status: int
    user: str | None
    headers: dict[str, str]
    body: bytes


Proceed = Callable[[], Response]


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; `_` in names of headers stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"Content-Type": "application/json", **named}, json.dumps(content).encode())


def refuse(error: HubError) -> Response:
    """Return a refusal with its status and error code."""
    headers = {"X_Error_Code": error.code} if error.code else {}
    return answer({"error": error.message}, error.status, **headers, X_Error_Message=error.message)

"""The routing of paths to functions."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from tests.fakehub.messages import Request, Response
from tests.fakehub.store import HubError

Handler = Callable[..., Response]
ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []
PARTS = {
    "repo": r"/api/(?P<kind>models|datasets)/(?P<name>[\w.-]+/[\w.-]+)",
    "any_repo": r"(?:(?P<kind>models|datasets)/)?(?P<name>[\w.-]+/[\w.-]+?)",
    "revision": r"(?P<revision>[^/]+)",
    "path": r"(?P<path>.+)",
    "oid": r"(?P<oid>[0-9a-f]{64})",
}


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Register a handler under a path, in which the names of PARTS in braces stand for these."""

    def register(handler: Handler) -> Handler:
        ROUTES.append((method, re.compile(pattern.format(**PARTS)), handler))
        return handler

    return register


def dispatch(request: Request) -> Response:
    """Find the route of a request and follow it."""
    for method, pattern, handler in ROUTES:
        found = pattern.fullmatch(request.path)
        if found and method in (request.method, request.method.replace("HEAD", "GET")):
            words = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
            return handler(request, **words)
    raise HubError(404, f"no such route: {request.method} {request.path}")

"""A small Hub on loopback that the real huggingface_hub client can talk to."""

import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import unquote, urlsplit

from tests.fakehub import downloads, repos, uploads
from tests.fakehub.faults import Dropped, Faults
from tests.fakehub.messages import Logged, Request, Response, refuse
from tests.fakehub.routing import dispatch
from tests.fakehub.store import HubError, Store

SERVED = (repos, uploads, downloads)  # imported for their routes
TOKEN, OTHER_TOKEN = "token-of-tester", "token-of-other"
USERS: Mapping[str, str] = MappingProxyType({TOKEN: "tester", OTHER_TOKEN: "other"})


class HubServer(ThreadingHTTPServer):
    """The Hub of a directory; `with HubServer(directory) as hub:` serves it at `hub.url` from a thread.

    `store` are its repositories, `faults` what goes wrong, `log` every request in order of its answer.
    """

    daemon_threads = True

    def __init__(self, directory: Path, users: Mapping[str, str] = USERS, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.store, self.users, self.faults = Store(directory), users, Faults()
        self.log: list[Logged] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def requests(self, method: str = "*", path: str = "*") -> list[Logged]:
        """The logged requests of this method and path (shell patterns; path unquoted, without query)."""
        return [one for one in self.log if fnmatchcase(one.method, method) and fnmatchcase(one.path, path)]

    def answer(self, request: Request) -> Response:
        """The Hub's answer, faults included.

        Raises:
            Dropped: there is none.
        """
        effect = self.faults.take(request)
        return effect(request, lambda: self.follow(request)) if effect else self.follow(request)

    def follow(self, request: Request) -> Response:
        try:
            self.recognise(request)
            return dispatch(request)
        except HubError as error:
            return refuse(error)

    def recognise(self, request: Request) -> None:
        """Set the user of the request's token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.users:
            raise HubError(401, "Invalid credentials in Authorization header")
        request.user = self.users.get(token)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class Connection(BaseHTTPRequestHandler):
    """One connection of a client, kept open between its requests."""

    server: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_request(self) -> None:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        where = (self.server.store, self.server.url)
        request = Request(self.command, address.path, address.query, headers, self.read_body(), *where)
        try:
            response = self.server.answer(request)
        except Dropped:
            self.note(request, 0)
            self.close_connection = True
            return
        self.note(request, response.status)
        self.send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request

    def read_body(self) -> bytes:
        """The whole body, sent with its length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
            self.send_header(name, value.replace("\n", " "))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[: response.cut])
            self.close_connection |= response.cut is not None

    def note(self, request: Request, status: int) -> None:
        path = unquote(request.path)
        self.server.log.append(
            Logged(self.command, path, status, request.user, request.headers, request.body)
        )

    def log_message(self, *words: object) -> None:
        """Nothing on stderr: the log is `HubServer.log`."""

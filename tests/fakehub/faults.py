"""Faults for the test Hub: rules that say which requests go wrong, how, and how often."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import unquote

from tests.fakehub.messages import Proceed, Request, Response, answer

Effect = Callable[[Request, Proceed], Response]


class Dropped(Exception):
    """The connection is to be closed without an answer."""


def status(code: int, **headers: str) -> Effect:
    """Answer with this status instead of doing anything; `_` in names of headers stands for `-`."""
    return lambda request, proceed: answer({"error": f"injected {code}"}, code, **headers)


unavailable = status(503)


def rate_limited(retry_after: int = 0) -> Effect:
    """429, to be tried again after so many seconds."""
    return status(429, Retry_After=str(retry_after))


def drop(request: Request, proceed: Proceed) -> Response:
    """Close the connection before anything is done."""
    raise Dropped


def drop_after(request: Request, proceed: Proceed) -> Response:
    """Carry out the request, then close the connection: the client cannot know that it succeeded."""
    proceed()
    raise Dropped


def cut(count: int) -> Effect:
    """Break off after `count` bytes of the body."""

    def effect(request: Request, proceed: Proceed) -> Response:
        response = proceed()
        response.cut = count
        return response

    return effect


def slow(seconds: float) -> Effect:
    """Answer late."""

    def effect(request: Request, proceed: Proceed) -> Response:
        time.sleep(seconds)
        return proceed()

    return effect


def somebody_commits(path: str = "elsewhere.txt", data: bytes = b"by somebody else\n") -> Effect:
    """Let another commit to main of the same repository come first."""

    def effect(request: Request, proceed: Proceed) -> Response:
        request.target().commit({path: data}, "somebody else's commit")
        return proceed()

    return effect


@dataclass
class Fault:
    """A rule: requests of this method and path (shell patterns, path unquoted) meet the effect.

    The first `after` of them pass; then it happens `times` times (math.inf: always).
    """

    method: str
    path: str
    effect: Effect
    times: float = 1
    after: int = 0
    happened: int = 0

    def matches(self, request: Request) -> bool:
        return fnmatchcase(request.method, self.method) and fnmatchcase(unquote(request.path), self.path)


@dataclass
class Faults:
    """The rules of a Hub; of several that fit a request, the one added first counts."""

    rules: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, method: str, path: str, effect: Effect, *, times: float = 1, after: int = 0) -> Fault:
        """Plan a fault, e.g. `add("POST", "*/commit/*", drop_after)`; returns the rule, which counts on."""
        fault = Fault(method, path, effect, times, after)
        with self.lock:
            self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self.lock:
            self.rules.clear()

    def take(self, request: Request) -> Effect | None:
        """The effect that this request meets, counted."""
        with self.lock:
            for fault in self.rules:
                if fault.happened >= fault.times or not fault.matches(request):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.happened += 1
                return fault.effect
        return None

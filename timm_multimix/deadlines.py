"""Bounded waiting for work that cannot be interrupted, such as a request to a server that never answers."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")

_left: list[threading.Thread] = []


def within(seconds: float, action: Callable[[], Result]) -> Result:
    """Run an action in a separate thread and wait for it no longer than so many seconds.

    Args:
        seconds: the longest wait.
        action: the function to run; after the deadline it is abandoned and its result is ignored.

    Returns:
        The action's result.

    Raises:
        TimeoutError: at the deadline. Exceptions of the action before that are raised here.
    """
    answer: Future[Result] = Future()

    def work() -> None:
        try:
            answer.set_result(action())
        except BaseException as error:
            answer.set_exception(error)

    thread = threading.Thread(target=work, name="bounded", daemon=True)
    thread.start()
    if not joined(thread, seconds):
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return answer.result()


def joined(thread: threading.Thread, seconds: float) -> bool:
    """Wait for a thread; returns False if it takes longer, and then abandons it."""
    thread.join(seconds)
    if thread.is_alive():
        _left.append(thread)
    return not thread.is_alive()


def left_behind() -> bool:
    """Return whether the end of this process may have to wait for abandoned threads.

    A daemon thread is not waited for, but a thread pool that it uses is.
    """
    return bool(_left)

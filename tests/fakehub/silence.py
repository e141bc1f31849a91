"""Servers on loopback that accept connections and do not answer, each in a thread."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
Manner = Callable[[socket.socket, threading.Event], None]


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Say nothing."""
    over.wait()


def stalling(connection: socket.socket, over: threading.Event) -> None:
    """Send the headers, then nothing."""
    connection.recv(65536)
    connection.sendall(HEADERS)
    over.wait()


def dripping(connection: socket.socket, over: threading.Event) -> None:
    """Send single bytes at intervals, from the headers on."""
    connection.recv(65536)
    for byte in HEADERS + b" " * 100000:
        connection.sendall(bytes([byte]))
        if over.wait(0.05):
            return


def dripping_body(connection: socket.socket, over: threading.Event) -> None:
    """Send the headers at once, then single bytes at intervals."""
    connection.recv(65536)
    connection.sendall(HEADERS)
    while not over.wait(0.05):
        connection.sendall(b" ")


MANNERS = {"silent": silent, "stalling": stalling, "dripping": dripping, "dripping_body": dripping_body}


class UnhelpfulServer:
    """`with UnhelpfulServer(silent) as server:` accepts connections at `server.url`, and treats them so."""

    def __init__(self, manner: Manner) -> None:
        self.manner, self.over, self.connections = manner, threading.Event(), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.listener.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.manner(connection, self.over)
            except OSError:  # the client went away
                time.sleep(0)

"""A proxy that breaks connections in the middle of what they carry."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PIECE = 700


class Proxy:
    """Passes bytes on to a port, and ends each of the first `cuts` connections after some of them.

    What was under way then is lost, in both directions. The number of bytes follows from the seed.
    """

    def __init__(self, port: int, cuts: int, seed: int) -> None:
        self._port = port
        self._cuts = cuts
        self._random = random.Random(seed)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.done = 0
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Where to find it."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        """End it, with all connections."""
        # Closing alone does not wake who is accepting.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._sockets:
            _break(one)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [near, far]
                left = [self._random.randint(1500, 6000) if self._cuts > 0 else None]
                self._cuts -= 1
                self._start(self._pass, near, far, left)
                self._start(self._pass, far, near, left)

    def _pass(self, one: socket.socket, other: socket.socket, left: list[int | None]) -> None:
        with suppress(OSError):
            while piece := one.recv(_PIECE):
                room = left[0]
                if room is not None:
                    left[0] = room - len(piece)
                    if len(piece) > room:
                        other.sendall(piece[:room])
                        self.done += 1
                        break
                other.sendall(piece)
        _break(one)
        _break(other)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


def _break(one: socket.socket) -> None:
    """End a connection at once; what has not been sent is dropped."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def cutting(port: int, cuts: int, seed: int) -> Iterator[Proxy]:
    """A proxy that is ended whatever happens."""
    proxy = Proxy(port, cuts, seed)
    try:
        yield proxy
    finally:
        proxy.close()

"""The server in a process of its own, and clients on real sockets."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from mastra_convex.tokens import Key
from tests.cli.processes import PATIENCE, environment, start
from tests.server.support import Peer, bearer

# What the Rust client takes of a message is 64 MiB, and of a frame 16; ours are far smaller.
_LARGEST = (64 * 1024 * 1024, 2 * 1024 * 1024)


class Dev:
    """`mastra-convex dev` over a file; ended with the test."""

    def __init__(self, path: Path, *options: str, **more: Any) -> None:
        env = environment()
        env.pop("MASTRA_CONVEX_KEY", None)
        self.process = start(
            *("dev", "--db", path, "--port", "0", *options),
            **{"cwd": path.parent, "env": env, **more},
        )
        assert self.process.stdout is not None
        self.told = ""
        while "Ctrl-C" not in self.told:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"it has ended: {self.told} {self.end()}")
            self.told += line
        self.url = re.findall(r"^CONVEX_URL=(\S+)$", self.told, re.MULTILINE)[0]
        self.key = Key.from_text(re.findall(r"^MASTRA_CONVEX_KEY=(\S+)$", self.told, re.M)[0])

    def call(self, kind: str, path: str, args: Any) -> Any:
        """The value of a call over HTTP."""
        answer = httpx.post(
            f"{self.url}/api/{kind}",
            json={"path": path, "args": args, "format": "json"},
            headers=bearer(self.key.service_token()),
            timeout=PATIENCE,
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "success", answer.text
        return answer.json()["value"]

    @contextmanager
    def socket(self, *, session: str, version: str = "1.48.0/") -> Iterator[Peer]:
        """A client that has logged in."""
        with self.raw(version) as connection:
            peer = Peer(Wire(connection))
            peer.connect(session)
            peer.log_in(self.key.service_token())
            yield peer

    @contextmanager
    def raw(self, version: str = "") -> Iterator[ClientConnection]:
        """A socket without a client."""
        url = f"{self.url.replace('http', 'ws', 1)}/api/{version}sync"
        with connect(
            url, compression=None, max_size=_LARGEST, open_timeout=PATIENCE, close_timeout=0.2
        ) as opened:
            yield opened

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> str:
        """End it as Ctrl-C does; returns what it wrote since, and to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return f"{out}{err}"


class Wire:
    """A real socket with the two methods that a `Peer` needs."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send_text(self, text: str) -> None:
        """Send a text."""
        self._connection.send(text)

    def receive_text(self) -> str:
        """The next text."""
        text = self._connection.recv(timeout=PATIENCE)
        assert isinstance(text, str)
        return text


@contextmanager
def dev(path: Path, *options: str, **more: Any) -> Iterator[Dev]:
    """A server that is ended whatever happens."""
    server = Dev(path, *options, **more)
    try:
        yield server
    finally:
        server.end()

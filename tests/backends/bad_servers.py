"""Servers that behave badly, on real sockets; and both faces of the remote backend behind one."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.remote import AsyncRemoteBackend, RemoteBackend
from mastra_convex.tokens import Key
from mastra_convex.values.version import FUNCTIONS_VERSION
from tests.contract.faces import LoopThread

SECONDS = 10.0
KEY = Key.generate()
VERSION = {"status": "success", "value": {"format": 1.0, "functions": float(FUNCTIONS_VERSION)}}


@dataclass
class Request:
    """One request as it arrived."""

    target: str
    headers: dict[str, str]
    body: Any

    @property
    def path(self) -> str:
        return str(self.body["path"])

    @property
    def token(self) -> str:
        return self.headers["authorization"].removeprefix("Bearer ")


@dataclass
class Answer:
    """What a server does with a request: a status and a body, or what it does instead."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    # Called with the handler in place of any answer.
    instead: Callable[[BaseHTTPRequestHandler], None] | None = None


def success(value: Any) -> Answer:
    return Answer({"status": "success", "value": value})


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client is gone."""
    handler.connection.settimeout(SECONDS)
    with suppress(OSError):
        handler.connection.recv(1)
    handler.close_connection = True


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """Begin an answer, and never end it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    with suppress(OSError):
        for _ in range(int(SECONDS / 0.02)):
            handler.wfile.write(b" ")
            time.sleep(0.02)
    handler.close_connection = True


class Scripted:
    """Answers by a script: one answer for each request, the last one for all that follow.

    `system:version` is answered as our functions do, and not in `requests`, unless there is a
    script for it.
    """

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.versions: list[Answer] = [Answer(VERSION)]
        self.requests: list[Request] = []
        self.asked_version = 0
        # The answer to a WebSocket's handshake.
        self.socket_status = 404
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            if request.path.endswith("system:version"):
                self.asked_version += 1
                return self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
            self.requests.append(request)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def serving(scripted: Scripted, port: int = 0) -> Iterator[str]:
    """The address at which a scripted server listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = scripted.answer(Request(self.path, headers, body))
            if answer.instead is not None:
                answer.instead(self)
                return
            content = answer.body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.send_response(scripted.socket_status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            with suppress(OSError):  # the client may be gone
                super().handle()

        def log_message(self, *args: Any) -> None:
            pass

    ThreadingHTTPServer.allow_reuse_address = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(SECONDS)


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Client:
    """A remote backend of either face, called as if it blocked."""

    def __init__(self, face: str, url: str, loop: LoopThread, **options: Any) -> None:
        credentials = options.pop("credentials", None) or Credentials(KEY.to_text())
        prefix, timeout = options.pop("prefix", ""), options.pop("timeout", SECONDS)
        kind: Any = RemoteBackend if face == "blocking" else AsyncRemoteBackend
        self.backend = kind(url, prefix, credentials, timeout)
        self.loop = loop

    def _do(self, name: str, *args: Any) -> Any:
        method = getattr(self.backend, name)
        if isinstance(self.backend, RemoteBackend):
            return method(*args)
        return self.loop.run(method(*args))

    def query(self, path: str = "threads:get", **args: Any) -> Any:
        return self._do("query", path, args)

    def mutation(self, path: str, **args: Any) -> Any:
        return self._do("mutation", path, args)

    def subscribe(self, read: Any, deliver: Any) -> Any:
        return self._do("subscribe", read, deliver)

    def close(self) -> None:
        self._do("close")


async def sleep_until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    for _ in range(int(SECONDS / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")

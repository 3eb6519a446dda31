"""The server as `mastra-convex dev` runs it, in a thread: one for a whole run, many stores."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mastra_convex import __version__
from mastra_convex.backends.served import EmbeddedServedBackend
from mastra_convex.server.app import create_app
from mastra_convex.server.auth import Keyring
from mastra_convex.server.run import listen, serve
from mastra_convex.tokens import Key

SECONDS = 30.0
KEY = Key.generate()


class Mounts:
    """Applications under the first part of the path: a server without any work of its own."""

    def __init__(self) -> None:
        self.apps: dict[str, ASGIApp] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.loop = asyncio.get_running_loop()
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        _, name, rest = scope["path"].split("/", 2)
        await self.apps[name]({**scope, "path": f"/{rest}"}, receive, send)


class TestServer:
    """A server on a port of loopback, that serves any number of stores."""

    __test__ = False

    def __init__(self) -> None:
        self._mounts = Mounts()
        self._numbers = itertools.count()
        listening = listen("127.0.0.1", 0)
        self._address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ready = threading.Event()
        # It ends with the process; what is served is closed before.
        threading.Thread(
            target=serve, args=(self._mounts, listening, ready.set), name="server", daemon=True
        ).start()
        assert ready.wait(SECONDS)

    @contextmanager
    def serving(
        self, path: Path, keyring: Keyring | None = None, *, prefix: str = ""
    ) -> Iterator[str]:
        """The address of a store; it is closed at the end."""
        name = str(next(self._numbers))
        backend = EmbeddedServedBackend(str(path), durable=False, prefix=prefix)
        app = create_app(backend, keyring or Keyring(lambda: [KEY]), version=__version__)
        living = self._run(_begun(app))
        self._mounts.apps[name] = app
        try:
            yield f"{self._address}/{name}"
        finally:
            del self._mounts.apps[name]
            self._run(living.end())

    def _run(self, work: Any) -> Any:
        assert self._mounts.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._mounts.loop).result(SECONDS)


class _Living:
    """An application between its startup and its shutdown."""

    def __init__(self, app: ASGIApp) -> None:
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.ensure_future(app(scope, self._events.get, self._replies.put))

    async def tell(self, event: str) -> None:
        await self._events.put({"type": f"lifespan.{event}"})
        assert (await self._replies.get())["type"] == f"lifespan.{event}.complete"

    async def end(self) -> None:
        await self.tell("shutdown")
        await self._task


async def _begun(app: ASGIApp) -> _Living:
    living = _Living(app)
    await living.tell("startup")
    return living


_server: list[TestServer] = []


def server() -> TestServer:
    """The one of this run, started on use."""
    if not _server:
        _server.append(TestServer())
    return _server[0]

"""The server as an ASGI application: what is answered where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mastra_convex.backends.base import ServedBackend
from mastra_convex.server.auth import Keyring
from mastra_convex.server.calls import Calls
from mastra_convex.server.guard import Guard
from mastra_convex.server.otlp import Intake
from mastra_convex.server.sync import Sync


def create_app(
    backend: ServedBackend,
    keyring: Keyring,
    *,
    version: str,
    origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> ASGIApp:
    """The application. It opens the backend when it starts, and closes it when it ends.

    `origins` are those of pages that may ask besides its own, `hosts` the names by which the server
    may be called besides localhost and addresses.
    """
    sync = Sync(backend, keyring)
    intake = Intake(backend, keyring)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await backend.open()
        sweeping = asyncio.create_task(sync.sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            intake.close()
            await backend.close()

    # The routes alone: what an application of Starlette's lays around them, `Calls` does itself.
    routes = [*Calls(backend, keyring, version).routes(), *intake.routes()]
    http = Router(routes, lifespan=lifespan)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # A socket stays for long: it is spared the layers that a request passes through.
        await (sync if scope["type"] == "websocket" else http)(scope, receive, send)

    return Guard(dispatch, origins, hosts)

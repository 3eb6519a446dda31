"""The server as an ASGI application: what is answered where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute

from mastra_convex.backends.base import ServedBackend
from mastra_convex.server.auth import Keyring
from mastra_convex.server.calls import Calls
from mastra_convex.server.guard import Guard
from mastra_convex.server.sync import Sync


def create_app(
    backend: ServedBackend,
    keyring: Keyring,
    *,
    version: str,
    origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> Starlette:
    """The application. It closes the backend when it ends.

    `origins` are those of pages that may ask besides its own, `hosts` the names by which the server
    may be called besides localhost and addresses.
    """
    sync = Sync(backend, keyring)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sync.sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await backend.close()

    return Starlette(
        routes=[
            *Calls(backend, keyring, version).routes(),
            WebSocketRoute("/api/sync", sync),
            WebSocketRoute("/api/{version}/sync", sync),
        ],
        middleware=[Middleware(Guard, origins, hosts)],
        lifespan=lifespan,
    )

"""Listening: a socket, uvicorn on it, and an orderly end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.protocol.requests import MAX_BODY_BYTES
from mastra_convex.server.http import BoundedProtocol
from mastra_convex.server.websocket import FragmentingProtocol

# A client that answers no ping for that long is gone: 120 s in all.
_PING_SECONDS = 20.0
_PONG_SECONDS = 100.0
_SHUTDOWN_SECONDS = 4
# A client that takes nothing of what it is sent for that long is dropped, with what waits for it.
_UNREAD_MS = 120_000
# Longer than clients keep an idle connection, so that none is closed as a request is on its way.
_KEEP_ALIVE_SECONDS = 75


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any. Raises `InvalidArgumentError` if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, or asyncio does not turn Nagle's algorithm off: an answer and the
    # transition after it would then be 40 ms apart.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidArgumentError(
            f"cannot listen on {host} port {port}: {why}; give another --port or --host",
            host=host,
            port=port,
        ) from error
    return listening


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; returns when everything that was accepted is done.

    `ready` is called when requests are answered.
    """
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws=FragmentingProtocol,
        ws_max_size=MAX_BODY_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PONG_SECONDS,
        access_log=False,
        log_level="warning",
        log_config=None,
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    _Server(config, ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

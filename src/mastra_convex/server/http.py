"""uvicorn's HTTP with bounds on what a client may send before it is known to be one.

What uvicorn leaves open: the size of a head, the time it takes to come, and the number of requests
that are sent ahead of their answers.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A head has a token and a URL, and what a browser keeps for other servers of the same host.
MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 30.0
# Browsers send none ahead.
_MAX_AHEAD = 16
# What is looked at between two looks at the bounds, and before anybody else has a turn.
SLICE = 16 * 1024

# All that a handshake is asked for; the parser of WebSockets takes no long lines, and few.
_OF_HANDSHAKE = (b"host", b"origin", b"connection", b"upgrade", b"convex-client", b"sec-websocket-")

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection, until it becomes a WebSocket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's; what connects has to say something."""
        super().connection_made(transport)
        # Of the head that is not complete; None if there is none.
        self._head_bytes: int | None = 0
        self._late: asyncio.TimerHandle | None = None
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, in slices."""
        for start in range(0, len(data), SLICE):
            piece = data[start : start + SLICE]
            super().data_received(piece)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._head_bytes is not None:
                self._head_bytes += len(piece)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self.transport.write(_TOO_LARGE)
                    self.transport.close()
                    return
                self._wait()  # Most heads come whole, and cost no timer.
            if len(self.pipeline) > _MAX_AHEAD:
                self.transport.abort()
                return

    def on_message_begin(self) -> None:
        """As uvicorn's: a head begins."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """As uvicorn's: a head ends."""
        self._head_bytes = None
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's; the rest of a body that was not waited for has to come, too."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait()

    def on_message_complete(self) -> None:
        """As uvicorn's: a body ends."""
        self._stop_waiting()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """As uvicorn's, which does not answer a handshake that its parser refuses."""
        self.scope["headers"] = [
            (name, value) for name, value in self.headers if name.startswith(_OF_HANDSHAKE)
        ]
        super().handle_websocket_upgrade()
        if not self.transport.get_protocol().handshake_initiated:  # type: ignore[attr-defined]
            self.send_400_response("This is no handshake of a WebSocket.")

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

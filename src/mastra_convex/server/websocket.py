"""uvicorn's WebSocket, with what its users' clients need, and with bounds on what they may send."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from mastra_convex.server.http import SLICE

# Convex's Rust and Python clients take no frame over 16 MiB, however large the message. And a
# socket that is full is noticed between two fragments.
FRAGMENT_BYTES = 1024 * 1024
# A message may come in as many fragments: browsers cut a large one into some hundred, and each
# costs as much as a message.
_MAX_FRAGMENTS = 4096


class FragmentingProtocol(WebSocketsSansIOProtocol):
    """Sends long texts in fragments, and drops a client that neither reads nor answers pings.

    A client may send what it likes: others have their turn in between, and nothing piles up.
    """

    # What has come behind a message that is not taken yet.
    _rest = b""

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, in slices, until there is a message; then the rest waits with it."""
        self._rest += data
        while self._rest and not (self.read_paused or self.transport.is_closing()):
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            super().data_received(piece)

    async def receive(self) -> Any:
        """As uvicorn's; then it is the rest's turn."""
        message = await super().receive()
        if self._rest and not self.read_paused:
            self.data_received(b"")
        return message

    def handle_ping(self) -> None:
        """Answer, unless the client does not read the answers: then they would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """As uvicorn's; a message has only so many fragments."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.transport.is_closing():
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """As uvicorn's. Only one text may be under way at a time."""
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is None or len(text) * 4 <= FRAGMENT_BYTES:
            await super().send(message)
            if message["type"] == "websocket.accept":
                # Nobody looks at the handshake again, and it would stay as long as the socket.
                del self.request, self.response
                self.scope["headers"] = []
            return
        content = text.encode()
        for start in range(0, len(content), FRAGMENT_BYTES):
            await self.writable.wait()
            if self.disconnected or self.close_sent or self.transport.is_closing():
                raise ClientDisconnected
            fragment = content[start : start + FRAGMENT_BYTES]
            last = start + FRAGMENT_BYTES >= len(content)
            if start == 0:
                self.conn.send_text(fragment, last)
            else:
                self.conn.send_continuation(fragment, last)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def keepalive_timeout(self) -> None:
        """The client has not answered a ping: closing would wait for it to read."""
        super().keepalive_timeout()
        self.transport.abort()

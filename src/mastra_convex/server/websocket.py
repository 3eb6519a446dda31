"""uvicorn's WebSocket, with what its users' clients need: fragments, and an end of the patience."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# Convex's Rust and Python clients take no frame over 16 MiB, however large the message. And a
# socket that is full is noticed between two fragments.
FRAGMENT_BYTES = 1024 * 1024


class FragmentingProtocol(WebSocketsSansIOProtocol):
    """Sends long texts in fragments, and drops a client that neither reads nor answers pings."""

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

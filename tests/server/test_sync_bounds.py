"""How much one client may have and do on its socket, and which clients get one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from mastra_convex.backends import live
from mastra_convex.backends.served import EmbeddedServedBackend
from mastra_convex.server import sync
from mastra_convex.server.auth import Keyring
from tests.server.support import KEY, SOCKETS, Peer, message, page, served, thread


def test_more_queries_than_one_socket_may_watch() -> None:
    with served() as server, server.socket() as peer:
        peer.modify(
            *(
                {
                    "type": "Add",
                    "queryId": number,
                    "udfPath": "threads:get",
                    "args": [{"id": f"t{number}"}],
                }
                for number in range(1001)
            )
        )
        refused = peer.until_value(1000, bool)
        assert refused["errorData"]["code"] == "LIMIT_EXCEEDED"
        assert len(peer.values) == 1001
        assert all(peer.values[number] is None for number in range(1000))
        assert peer.result("threads:save", thread("t999"))["success"] is True
        assert peer.values[999]["id"] == "t999"


def test_a_client_watches_so_many_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_BYTES", 100_000)
    with served() as server, server.socket() as peer:
        server.value("mutation", "threads:save", thread("t"))
        server.value("mutation", "messages:save", message("m", "t", "x" * 10_000))
        for number in range(12):
            peer.watch(number, "messages:list", {**page("t"), "limit": 100 - number})
        peer.watch(12, "threads:get", {"id": "t"})
        peer.until_value(12, bool)
        refused = [number for number in range(13) if "errorData" in peer.values[number]]
        # What is small has room.
        assert refused == [9, 10, 11]
        assert peer.values[11]["errorData"]["code"] == "LIMIT_EXCEEDED"
        # What was refused has some when others have gone, and what grows has none.
        for number in (0, 11):
            peer.unwatch(number)
        peer.watch(13, "messages:list", {**page("t"), "limit": 89})
        assert peer.until_value(13, bool) == peer.values[1]
        server.value("mutation", "threads:update", {"id": "t", "title": "y" * 20_000})
        assert peer.until_value(12, lambda value: "errorData" in value)
        assert peer.values[1]["page"]


def test_a_client_that_is_told_nothing_changes_only_so_much(tmp_path: Path) -> None:
    """It adds and removes queries, and does not read: what it is to be told must not pile up."""
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        await asyncio.sleep(0)
        if read == 1:
            return {"type": "websocket.connect"}
        add = {"type": "Add", "queryId": read, "udfPath": "threads:get", "args": [{"id": "t"}]}
        body = {
            "type": "ModifyQuerySet",
            "baseVersion": read - 2,
            "newVersion": read - 1,
            "modifications": [add, {"type": "Remove", "queryId": read}],
        }
        return {"type": "websocket.receive", "text": json.dumps(body)}

    async def send(message: Any) -> None:
        if message["type"] != "websocket.accept":
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        backend = EmbeddedServedBackend(str(tmp_path / "a.db"), durable=False)
        await backend.open()
        serving = sync.Sync(backend, Keyring(lambda: [KEY]))
        scope = {"type": "websocket", "path": "/api/sync", "headers": []}
        client = asyncio.ensure_future(serving(scope, receive, send))
        # Reading far more takes a hundredth of this.
        await asyncio.sleep(1)
        client.cancel()
        await asyncio.wait([client])
        await backend.close()

    asyncio.run(main())
    assert 1000 < read < 2500


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/1.48/sync", {}, 400),
        ("/api/x/sync", {}, 400),
        ("/api/sync", {"Convex-Client": "nonsense"}, 400),
        ("/api/0.19.1/sync", {}, 400),
        ("/api/1.48.0/sync", {"Convex-Client": "python-0.0.2"}, 400),
        ("/api/elsewhere", {}, 404),
        ("/api/sync", {"Host": "evil.example"}, 403),
        ("/api/sync", {"Origin": "http://evil.example"}, 403),
    ],
)
def test_handshakes_that_are_refused(path: str, headers: dict[str, str], status: int) -> None:
    with (
        served() as server,
        pytest.raises(WebSocketDenialResponse) as refused,
        server.client.websocket_connect(SOCKETS + path, headers=headers),
    ):
        pass
    assert refused.value.status_code == status
    assert refused.value.json()["code"]


@pytest.mark.parametrize(
    ("path", "headers", "pieces"),
    [
        ("/api/1.48.0/sync", {}, True),
        ("/api/1.28.0-alpha.1/sync", {}, True),
        ("/api/1.27.0/sync", {}, False),
        ("/api/sync", {}, False),
        ("/api/sync", {"Convex-Client": "python-0.8.1"}, False),
        ("/api/sync", {"Convex-Client": "npm-1.48.0"}, True),
        ("/api/1.48.0/sync", {"Convex-Client": "rust-0.10.4"}, False),
    ],
)
def test_who_is_sent_pieces(
    path: str, headers: dict[str, str], pieces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mastra_convex.protocol.server_session.CHUNK", 200)
    with (
        served() as server,
        server.client.websocket_connect(SOCKETS + path, headers=headers) as socket,
    ):
        peer = Peer(socket)
        peer.connect()
        peer.watch(0, "threads:get", {"id": "t"})
        told: Any = json.loads(socket.receive_text())
        assert told["type"] == ("TransitionChunk" if pieces else "Transition")

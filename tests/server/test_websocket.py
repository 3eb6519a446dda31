"""Real sockets, and clients that do what no client should: the others do not notice."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.protocol import State

from mastra_convex.server.websocket import FragmentingProtocol
from tests.server.process import Dev, dev
from tests.server.support import message, page, soon, thread

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One server for all: whatever a test does to it, it must serve the next one."""
    with dev(tmp_path_factory.mktemp("served") / "a.db") as started:
        started.call("mutation", "threads:save", thread("t"))
        yield started


def session() -> str:
    return str(uuid.uuid4())


def healthy(server: Dev) -> None:
    """A new client is served, and soon."""
    with server.socket(session=session()) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, bool)
        begun = time.monotonic()
        assert peer.result("threads:update", {"id": "t", "title": session()})["success"] is True
        # What others are having done is done first, and a busy disk is slow at it.
        assert time.monotonic() - begun < 15


def fill(server: Dev, thread_id: str, count: int, size: int) -> None:
    """A thread with so many messages of so many characters."""
    server.call("mutation", "threads:save", thread(thread_id))
    for number in range(count):
        text = f"{number} " + "\u00fc" * (size // 2)
        server.call("mutation", "messages:save", message(f"{thread_id}-{number}", thread_id, text))


def test_a_large_result_comes_in_fragments_and_in_chunks(server: Dev) -> None:
    fill(server, "large", 12, MEBIBYTE // 2)
    fetched: list[Any] = []
    for version in ("1.48.0/", ""):
        with server.socket(session=session(), version=version) as peer:
            for number in range(3):
                peer.watch(number, "messages:list", {**page("large"), "limit": 100 - number})
            parts: list[str] = []
            while 2 not in peer.values:
                told = peer.receive()
                if told["type"] == "TransitionChunk":
                    assert told["partNumber"] == len(parts)
                    parts.append(told["chunk"])
                    if len(parts) == told["totalParts"]:
                        peer.apply(json.loads("".join(parts)))
            assert bool(parts) == bool(version)
            fetched.append(peer.values)
    assert fetched[0] == fetched[1]


def test_arguments_of_many_mebibytes_are_taken_and_more_are_not(server: Dev) -> None:
    with server.socket(session=session()) as peer:
        text = "x" * (12 * MEBIBYTE)
        answer = peer.result("threads:save", thread("big", title=text))
        # Whatever the function thinks of it, it has got there.
        assert answer["success"] is True or answer["errorData"]["code"] == "LIMIT_EXCEEDED"
    # Refused by its head alone: what would follow is not waited for.
    client = stuck_client(server)
    client.settimeout(20)
    client.sendall(frame(0x81, b"x" * (17 * MEBIBYTE))[:14])
    told = b""
    while part := client.recv(65536):
        told += part
    assert b"\x88" in told
    assert (1009).to_bytes(2, "big") in told
    client.close()
    healthy(server)


def test_a_client_that_never_reads_delays_nobody_and_takes_no_memory(server: Dev) -> None:
    fill(server, "watched", 8, MEBIBYTE // 16)
    with server.socket(session=session()) as reader:
        reader.watch(0, "messages:list", page("watched"))
        reader.until_value(0, bool)

        def write(number: int) -> float:
            text = f"{number} " + "y" * (MEBIBYTE // 16)
            begun = time.monotonic()
            reader.result("messages:save", message("watched-0", "watched", text))
            return time.monotonic() - begun

        alone = statistics.median(write(number) for number in range(10))
        stuck = [stuck_client(server) for _ in range(10)]
        for number in range(10):
            write(number)
        before = server.memory()
        beside = statistics.median(write(number) for number in range(60))
        grown = server.memory() - before
        for each in stuck:
            each.close()
    # Each has one value on its way, and has missed 60 of more than a mebibyte.
    assert grown < 25 * MEBIBYTE, f"{grown / MEBIBYTE:.0f} MiB"
    assert beside < 5 * alone + 0.05, (alone, beside)
    healthy(server)


def stuck_client(server: Dev) -> socket.socket:
    """Subscribes and sends mutations, and never reads again after the handshake."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = socket.create_connection((host, int(port)))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        b"GET /api/sync HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    assert raw.recv(1024).startswith(b"HTTP/1.1 101")
    for body in (
        {"type": "Connect", "sessionId": session(), "connectionCount": 0, "clientTs": 0},
        {
            "type": "Authenticate",
            "baseVersion": 0,
            "tokenType": "User",
            "value": server.key.service_token(),
        },
        {
            "type": "ModifyQuerySet",
            "baseVersion": 0,
            "newVersion": 1,
            "modifications": [
                {"type": "Add", "queryId": 0, "udfPath": "messages:list", "args": page("watched")}
            ],
        },
    ):
        raw.sendall(frame(0x81, json.dumps(body).encode()))
    return raw


def frame(first: int, content: bytes) -> bytes:
    """A frame of a client, masked with nothing."""
    size = len(content)
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 65536:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + content


def test_a_client_that_only_writes_is_read_no_further(server: Dev) -> None:
    stuck = stuck_client(server)
    stuck.settimeout(2)
    before, sent = server.memory(), 0
    body = {"type": "Mutation", "udfPath": "messages:save"}
    with suppress(TimeoutError):
        for number in range(2000):
            args = message(f"flood-{number % 10}", "t", "z" * 40_000)
            text = json.dumps({**body, "requestId": number, "args": args}).encode()
            stuck.sendall(frame(0x81, text))
            sent += len(text)
    # The answers come back as large as what was sent, and nobody takes them.
    assert sent < 75_000_000
    assert server.memory() - before < 100 * MEBIBYTE
    healthy(server)
    stuck.close()
    healthy(server)


FIELDS: dict[str, list[Any]] = {
    "type": ["Connect", "ModifyQuerySet", "Mutation", "Action", "Authenticate", "Event", "X", 5],
    "sessionId": [str(uuid.UUID(int=1)), "x", None],
    "connectionCount": [0, -1, 2**40, 1.5, "0"],
    "lastCloseReason": [None, "x", 5],
    "clientTs": [0, 1e300, "x"],
    "maxObservedTimestamp": ["AAAAAAAAAAA=", "AQAAAAAAAAA=", "x", 5],
    "baseVersion": [0, 1, 2, -1, 2**32],
    "newVersion": [0, 1, 2, 3, 2**31],
    "modifications": [[], {}, None, [5]],
    "requestId": [0, 1, -1, None],
    "udfPath": ["threads:get", "threads:save", "a b", "", "\u0000", 5],
    "args": [
        [],
        [{}],
        {},
        [{"id": "t"}],
        [{"$x": 1}],
        [[]],
        None,
        [{"id": {"a": [[[]]]}}],
        [{"id": {"$bytes": ""}}],
    ],
    "tokenType": ["None", "User", "Admin", "X"],
    "value": ["", "a.b.c", "x" * 5000, "mastra-convex|x", None],
    "impersonating": [None, {}, {"subject": 5}, 5],
    "eventType": ["x", None],
    "event": [{}, None],
}


def hostile(random_: random.Random) -> bytes:
    """A frame of any kind: some are almost right, some are noise."""
    kind = random_.random()
    if kind < 0.1:
        return random_.randbytes(random_.randrange(1, 200))
    if kind < 0.15:
        return frame(random_.choice([0x80, 0x82, 0x83, 0x88, 0x89, 0x8A, 0x01, 0xC1]), b"{}")
    if kind < 0.2:
        return frame(0x81, random_.randbytes(random_.randrange(200)))
    body = {"type": random_.choice(FIELDS["type"][:6])} if kind < 0.9 else {}
    for name in random_.sample(sorted(FIELDS), random_.randrange(len(FIELDS))):
        body[name] = random_.choice(FIELDS[name])
    if random_.random() < 0.5:
        change: dict[str, Any] = {
            name: random_.choice(FIELDS[name]) for name in ("udfPath", "args")
        }
        kinds = ["Add", "Remove", "X"]
        body["modifications"] = [
            {"type": random_.choice(kinds), "queryId": random_.randrange(3), **change}
            for _ in range(random_.randrange(4))
        ]
    return frame(0x81, json.dumps(body).encode())


def test_hostile_frames_harm_nobody(server: Dev) -> None:
    random_ = random.Random(20)
    before, sent, clients = server.memory(), 0, 0
    with server.socket(session=session()) as witness:
        while sent < 10_000:
            client = stuck_client(server)
            client.settimeout(5)
            with suppress(OSError):
                for _ in range(random_.randrange(1, 60)):
                    sent += 1
                    client.sendall(hostile(random_))
            client.close()
            clients += 1
            if clients % 25 == 0:
                assert witness.result("threads:update", {"id": "t", "title": "w"})["success"]
        assert witness.result("threads:update", {"id": "t", "title": "end"})["success"]
    assert server.memory() - before < 50 * MEBIBYTE
    healthy(server)


def test_a_message_has_only_so_many_fragments(server: Dev) -> None:
    client = stuck_client(server)
    client.settimeout(20)
    with suppress(OSError):
        client.sendall(frame(0x01, b"{") + frame(0x00, b"") * 10_000)
    told = b""
    with suppress(OSError):
        while part := client.recv(65536):
            told += part
    assert told.endswith(b"\x03\xf1too many fragments")
    client.close()
    # In some hundred it is taken, also when the next message comes with it.
    body = json.dumps({"type": "Event", "eventType": "x" * 500, "event": None}).encode()
    with server.raw() as raw:
        for _ in range(3):
            raw.send([body[at : at + 1].decode() for at in range(len(body))])
        raw.send(json.dumps({"type": "Action", "requestId": 3, "udfPath": "a:b", "args": []}))
        assert json.loads(raw.recv(20))["requestId"] == 3
    healthy(server)


def test_pings_of_a_client_that_does_not_read_are_not_answered() -> None:
    """On a socket that is full: what would be written stays in memory."""
    written: list[bytes] = []
    transport: Any = SimpleNamespace(
        write=written.append, is_closing=lambda: False, get_extra_info=lambda name: None
    )
    loop: Any = SimpleNamespace()
    protocol = FragmentingProtocol(Config(lambda: None), ServerState(), {}, loop)
    protocol.connection_made(transport)
    protocol.conn.state = State.OPEN
    protocol.conn.parser = protocol.conn.parse()
    next(protocol.conn.parser)
    protocol.data_received(frame(0x89, b"1"))
    assert written == [b"\x8a\x011"]
    protocol.pause_writing()
    protocol.data_received(frame(0x89, b"2") * 3)
    protocol.resume_writing()
    protocol.data_received(frame(0x89, b"3"))
    assert written == [b"\x8a\x011", b"\x8a\x013"]


def test_a_client_that_is_gone_is_forgotten(server: Dev) -> None:
    fds = Path(f"/proc/{server.process.pid}/fd")
    before = len(list(fds.iterdir()))
    clients = [stuck_client(server) for _ in range(10)]
    soon(lambda: len(list(fds.iterdir())) >= before + 10)
    for client in clients:
        client.close()
    soon(lambda: len(list(fds.iterdir())) <= before + 3)

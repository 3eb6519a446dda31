"""What a client may send before it has asked for anything, on real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mastra_convex.server import calls, http
from tests.served import server

ASK = b"GET /%s/version HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PATIENCE = 10.0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tuple[str, int], bytes]]:
    """Where to connect, and what stands before the paths."""
    with server().serving(Path(tmp_path_factory.mktemp("http")) / "a.db") as url:
        host, _, name = url.removeprefix("http://").partition("/")
        name_, port = host.split(":")
        yield (name_, int(port)), name.encode()


def answer(client: socket.socket) -> bytes:
    """All that comes until the server ends it, or says nothing for a while."""
    told = b""
    with suppress(OSError):
        while part := client.recv(65536):
            told += part
    return told


def opened(address: tuple[str, int], seconds: float = PATIENCE) -> closing[socket.socket]:
    return closing(socket.create_connection(address, seconds))


@pytest.mark.parametrize(
    "begun",
    [b"GET /", ASK + b"X-A: ", ASK + b"X-A: x\r\n" * 5000, ASK + b"X-A: x\r\n\r\n" + ASK],
)
def test_a_head_that_does_not_end_is_refused(
    address: tuple[tuple[str, int], bytes], begun: bytes
) -> None:
    where, name = address
    with opened(where) as client:
        begun = begun.replace(b"%s", name)
        with suppress(OSError):
            client.sendall(begun + b"y" * (http.MAX_HEAD_BYTES + http.SLICE))
        assert b"431 Request Header Fields Too Large" in answer(client)


def test_a_head_of_some_size_is_taken_though_it_comes_in_pieces(
    address: tuple[tuple[str, int], bytes],
) -> None:
    where, name = address
    with opened(where, 1.0) as client:
        head = ASK.replace(b"%s", name) + b"X-A: %b\r\n\r\n" % (b"y" * 30_000)
        for start in range(0, len(head), 7000):
            client.sendall(head[start : start + 7000])
            time.sleep(0.01)
        assert answer(client).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("first", [b"", ASK + b"X-A: ", ASK + b"\r\n" + ASK + b"X-A: "])
def test_a_head_that_comes_slowly_is_not_waited_for(
    address: tuple[tuple[str, int], bytes], first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.4)
    where, name = address
    with opened(where, 0.05) as client:
        client.sendall(first.replace(b"%s", name))
        begun = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < begun + PATIENCE:
                if first:
                    client.sendall(b"y")
                with suppress(TimeoutError):
                    if not client.recv(65536):
                        break
        assert 0.3 < time.monotonic() - begun < PATIENCE / 2


POST = b"POST /%s/api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nContent-Type: "


@pytest.mark.parametrize(("kind", "status"), [(b"application/json", b"503"), (b"x/y", b"400")])
def test_a_body_that_comes_slowly_is_not_waited_for(
    address: tuple[tuple[str, int], bytes],
    kind: bytes,
    status: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(calls, "MAX_SECONDS", 0.4)
    where, name = address
    with opened(where, 0.05) as client:
        client.sendall(POST.replace(b"%s", name) + kind + b"\r\n\r\n")
        begun, told = time.monotonic(), b""
        with suppress(ConnectionError):
            while time.monotonic() < begun + PATIENCE:
                client.sendall(b"y")
                with suppress(TimeoutError):
                    if not (part := client.recv(65536)):
                        break
                    told += part
        assert told.startswith(b"HTTP/1.1 " + status)
        assert 0.3 < time.monotonic() - begun < PATIENCE / 2


def test_few_requests_are_taken_ahead_of_their_answers(
    address: tuple[tuple[str, int], bytes],
) -> None:
    where, name = address
    ask = ASK.replace(b"%s", name) + b"\r\n"
    with opened(where, 1.0) as client:
        client.sendall(ask * 10)
        assert answer(client).count(b"200 OK") == 10
    with opened(where) as client:
        with suppress(OSError):
            client.sendall(ask * 5000)
        assert answer(client).count(b"200 OK") < 1000


def test_a_handshake_is_answered_whatever_else_a_browser_sends(
    address: tuple[tuple[str, int], bytes],
) -> None:
    where, name = address
    head = (
        b"GET /%b/api/sync%b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Version: 13\r\n%b\r\n"
    )
    for query, more, status in (
        (b"", b"Cookie: %b\r\n" % (b"c" * 20_000), b"101"),
        (b"", b"X-A: x\r\n" * 200, b"101"),
        (b"?" + b"q" * 10_000, b"", b"400"),
    ):
        with opened(where, 2.0) as client:
            client.sendall(head % (name, query, more))
            assert client.recv(65536).startswith(b"HTTP/1.1 " + status)

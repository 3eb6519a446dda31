"""The official clients of Convex, each against a server in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mastra_convex import ConvexStorage, Message
from tests.official.driver import Client, RefusedError, official
from tests.official.proxy import cutting
from tests.server.process import Dev, dev
from tests.server.support import ids, message, page, thread

SUBSCRIBERS = ["socket", "python"]
CLIENTS = ["http", *SUBSCRIBERS]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Dev]:
    """A server with two threads of alice's, without a message."""
    with dev(tmp_path / "a.db") as started:
        for name in ("t", "empty"):
            started.call("mutation", "threads:save", thread(name, "alice"))
        yield started


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def has(*expected: str) -> Any:
    """Whether a watched list of messages has just these."""
    return lambda told: "value" in told and ids(told["value"]) == list(expected)


def code(call: Any) -> str:
    """The code of the error that a call ends in."""
    with pytest.raises(RefusedError) as refused:
        call()
    found: str = refused.value.data["code"]
    return found


@pytest.mark.parametrize("kind", CLIENTS)
def test_calls_and_refusals(server: Dev, kind: str) -> None:
    with official(kind, server.url, server.key.resource_token("alice")) as client:
        (saved,) = client.mutation("messages:save", message("m", "t", "schön \U0001f600 \0"))
        assert saved["seq"] == 1
        assert client.query("messages:listById", {"ids": ["m"]}) == [saved]
        assert code(lambda: client.query("system:statistics", {})) == "UNAUTHENTICATED"
        missing = message("n", "missing")
        assert code(lambda: client.mutation("messages:save", missing)) == "NOT_FOUND"
        with pytest.raises(RefusedError, match="Could not find public function"):
            client.query("no:such", {})
        assert ids(client.query("messages:list", page("t"))) == ["m"]
    with official(kind, server.url, server.key.resource_token("bob")) as stranger:
        assert ids(stranger.query("messages:list", page("t"))) == []
    with official(kind, server.url, None) as nobody:
        for call in (
            lambda: nobody.query("messages:list", page("t")),
            lambda: nobody.mutation("messages:save", message("n", "t")),
        ):
            assert code(call) == "UNAUTHENTICATED"
    found = server.call("query", "messages:list", page("t"))
    assert ids(found) == ["m"]


@pytest.mark.parametrize("kind", SUBSCRIBERS)
def test_a_subscriber_sees_what_it_and_others_write(server: Dev, kind: str) -> None:
    with official(kind, server.url, server.key.service_token()) as client:
        client.watch("list", "messages:list", page("t"))
        client.until("list", has())
        client.mutation("messages:save", message("own", "t"))
        client.until("list", has("own"))
        server.call("mutation", "messages:save", message("other", "t"))
        client.until("list", has("own", "other"))
        client.mutation("messages:remove", {"ids": ["own"]})
        client.until("list", has("other"))


@pytest.mark.parametrize("kind", SUBSCRIBERS)
def test_a_subscriber_without_a_token_is_told_so(server: Dev, kind: str) -> None:
    with official(kind, server.url, None) as client:
        client.watch("list", "messages:list", page("t"))
        told = client.do("next", name="list")
        assert told["error"]["code"] == "UNAUTHENTICATED"
        # It becomes somebody, and the same subscription goes on.
        client.do("login", token=server.key.service_token())
        client.until("list", has())


COUNT = 250
WHOLE = {"threadId": "t", "order": "asc", "limit": 500}


def calls(kind: str) -> list[tuple[str, Any]]:
    """Calls that each add a message to the thread, and copy an empty one.

    A copy that is made twice is refused the second time, so it is seen if a call is run again. The
    Python client takes another session with every connection, by which no server can tell that a
    call is sent again: with it, only what is idempotent is safe.
    """
    saves = [("messages:save", message(f"m{n}", "t")) for n in range(COUNT)]
    copies = [("threads:clone", {"id": "empty", "thread": {"id": f"c{n}"}}) for n in range(COUNT)]
    return saves if kind == "python" else [call for both in zip(saves, copies) for call in both]


def saved(server: Dev) -> list[dict[str, Any]]:
    """The messages that there are."""
    found: list[dict[str, Any]] = server.call("query", "messages:list", WHOLE)["page"]
    return found


def saved_in(path: Path) -> list[Message]:
    """The messages that a server has left in its file."""
    with ConvexStorage(path) as storage:
        return storage.list_messages("t", per_page=False).messages


def check(server: Dev, client: Client, kind: str, results: list[str]) -> None:
    """Every call has succeeded, once, in order, and the subscriber knows it."""
    assert results == ["done"] * len(calls(kind))
    client.until("list", has(*(f"m{n}" for n in range(COUNT))))
    assert [each["seq"] for each in saved(server)] == list(range(1, COUNT + 1))
    (count,) = (
        each["records"]
        for each in server.call("query", "system:statistics", {})
        if each["table"] == "threads"
    )
    assert count == 2 + (0 if kind == "python" else COUNT)


@pytest.mark.parametrize("kind", SUBSCRIBERS)
def test_a_server_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.db"
    server = Dev(path)
    try:
        port = port_of(server.url)
        for name in ("t", "empty"):
            server.call("mutation", "threads:save", thread(name))
        with official(kind, server.url, server.key.service_token()) as client:
            client.watch("list", "messages:list", WHOLE)
            client.until("list", has())
            number = client.begin("mutations", calls=calls(kind))
            interrupted = 0
            for enough in (1, 20):
                while len(saved(server)) < enough:
                    pass
                server.kill()
                interrupted += len(saved_in(path)) < COUNT
                server = Dev(path, "--port", str(port))
            check(server, client, kind, client.answer(number))
            assert interrupted
            server.call("mutation", "messages:save", message("last", "t"))
            client.until("list", lambda told: ids(told["value"])[-1] == "last")
    finally:
        server.end()


@pytest.mark.parametrize("kind", SUBSCRIBERS)
def test_connections_that_break_lose_and_double_nothing(server: Dev, kind: str) -> None:
    with (
        cutting(port_of(server.url), cuts=3, seed=1) as proxy,
        official(kind, proxy.url, server.key.service_token()) as client,
    ):
        client.watch("list", "messages:list", WHOLE)
        client.until("list", has())
        check(server, client, kind, client.do("mutations", calls=calls(kind)))
        assert proxy.done == 3

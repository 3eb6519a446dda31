"""Subscriptions over a WebSocket that breaks, on real sockets, in both faces."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlsplit

import pytest

from mastra_convex.backends import compatibility
from mastra_convex.backends.base import Read
from mastra_convex.backends.credentials import Credentials
from mastra_convex.errors import (
    ConvexStorageError,
    DeploymentError,
    OlderFunctionsError,
    StorageClosedError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.server.auth import Keyring
from mastra_convex.tokens import Key
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.version import FUNCTIONS_VERSION
from tests.backends.bad_servers import Client, Scripted, serving, silent, unused_port
from tests.backends.proxy import Proxy
from tests.contract.faces import LoopThread
from tests.served import KEY, server

SECONDS = 15.0
QUIET = 0.2
THREAD = {"id": "t", "resourceId": "r", "createdAt": 1.0, "updatedAt": 1.0}
Make = Callable[..., Client]


class Line:
    """A server whose keys can be changed, and the breakable connection to it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.keys = [KEY]
        self.folder = folder
        self.stack = stack
        self.direct = stack.enter_context(
            server().serving(folder / "store.db", Keyring(lambda: self.keys, folder / "keys"))
        )
        parts = urlsplit(self.direct)
        assert parts.port is not None
        self.proxy = Proxy(parts.port)
        stack.callback(self.proxy.close)
        self.url = f"http://127.0.0.1:{self.proxy.port}{parts.path}"

    def change_keys(self, *keys: Key) -> None:
        self.keys = list(keys)
        (self.folder / "keys").write_text(str(time.time()), encoding="utf-8")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    (tmp_path / "keys").write_text("", encoding="utf-8")
    with ExitStack() as stack:
        yield Line(tmp_path, stack)


@pytest.fixture
def make(face: str, loop_thread: LoopThread) -> Iterator[Make]:
    """Makes clients of a face, and closes them."""
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        options.setdefault("credentials", Credentials(KEY.to_text()))
        made.append(Client(face, url, loop_thread, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


def get(path: str = "threads:get", **args: Any) -> Callable[[], Read]:
    def read() -> Read:
        return (yield path, args or {"id": "t"})

    return read


def titles(client: Client) -> "Queue[Any]":
    """The titles of thread t, or what else is told, as they come."""
    got: Queue[Any] = Queue()

    def deliver(outcome: Outcome) -> None:
        got.put(outcome.error or (outcome.value and outcome.value.get("title")))

    client.subscribe(get(), deliver)
    return got


def save(client: Client, title: str) -> None:
    client.mutation("threads:save", thread={**THREAD, "title": title})


def nothing_comes(got: "Queue[Any]") -> None:
    with pytest.raises(Empty):
        got.get(timeout=QUIET)


def test_a_cut_connection_is_made_again_without_a_word(line: Line, make: Make) -> None:
    near, far = make(line.direct), make(line.url)
    save(near, "one")
    got = titles(far)
    assert got.get(timeout=SECONDS) == "one"
    line.proxy.cut()
    save(near, "two")
    assert got.get(timeout=SECONDS) == "two"
    line.proxy.cut()
    nothing_comes(got)
    save(near, "three")
    assert got.get(timeout=SECONDS) == "three"
    nothing_comes(got)


def test_a_connection_that_breaks_all_the_time(line: Line, make: Make) -> None:
    near, far = make(line.direct), make(line.url)
    got = titles(far)
    assert got.get(timeout=SECONDS) is None
    # Each connection is cut somewhere in the middle of what it says.
    line.proxy.cut_after = (800, 3000)
    line.proxy.cut()
    seen: list[Any] = []
    for n in range(40):
        save(near, str(n))
        time.sleep(0.02)
    line.proxy.cut_after = None
    line.proxy.cut()
    while seen[-1:] != ["39"]:
        seen.append(got.get(timeout=SECONDS))
    # In order, each once, and nothing that is not so.
    assert [int(title) for title in seen] == sorted({int(title) for title in seen})
    assert line.proxy.connections > 3
    nothing_comes(got)


def test_a_connection_that_goes_silent_is_given_up(
    line: Line, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PING_SECONDS", "_PONG_SECONDS"):
        monkeypatch.setattr(f"mastra_convex.backends.subscriptions.{name}", 0.2)
    near, far = make(line.direct), make(line.url, timeout=1.0)
    got = titles(far)
    assert got.get(timeout=SECONDS) is None
    line.proxy.silence()
    save(near, "one")
    nothing_comes(got)
    line.proxy.silence(False)
    assert got.get(timeout=SECONDS) == "one"


def test_equal_calls_are_one_subscription(line: Line, make: Make) -> None:
    client = make(line.direct)
    both = titles(client), titles(client)
    assert [got.get(timeout=SECONDS) for got in both] == [None, None]
    save(client, "one")
    assert [got.get(timeout=SECONDS) for got in both] == ["one", "one"]


def test_an_error_of_a_function_is_told_and_mended(line: Line, make: Make) -> None:
    client = make(line.direct)
    got: Queue[Any] = Queue()
    client.subscribe(get("threads:nothing"), got.put)
    error = got.get(timeout=SECONDS).error
    assert type(error).__name__ == "FunctionNotFoundError"
    assert str(error) == f"{line.direct} has no function threads:nothing"


def test_a_refused_token_is_told_once_and_mended(line: Line, make: Make) -> None:
    other = Key.generate()
    given = [KEY]

    def give() -> str:
        return given[0].service_token()

    client = make(line.direct, credentials=Credentials(token=give))
    got = titles(client)
    assert got.get(timeout=SECONDS) is None
    line.change_keys(other)
    error = got.get(timeout=SECONDS)
    assert isinstance(error, UnauthenticatedError)
    assert "token" in str(error)
    assert KEY.service_token()[:40] not in str(error)
    nothing_comes(got)
    # The right key; the value comes again, because an error came last.
    given[0] = other
    assert got.get(timeout=SECONDS) is None


def test_a_key_that_is_exchanged_is_not_noticed(line: Line, make: Make) -> None:
    other = Key.generate()
    given = [KEY]

    def give() -> str:
        return given[0].service_token()

    client = make(line.direct, credentials=Credentials(token=give))
    got = titles(client)
    assert got.get(timeout=SECONDS) is None
    given[0] = other
    line.change_keys(other)
    save(client, "one")
    assert got.get(timeout=SECONDS) == "one"
    nothing_comes(got)


def test_a_token_is_exchanged_before_it_expires(
    line: Line, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []

    def give() -> str:
        asked.append(time.time())
        return KEY.service_token(lifetime=2)

    client = make(line.url, credentials=Credentials(token=give))
    got = titles(client)
    assert got.get(timeout=SECONDS) is None
    connections = line.proxy.connections
    deadline = time.monotonic() + SECONDS
    while len(asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    near = make(line.direct)
    save(near, "one")
    assert got.get(timeout=SECONDS) == "one"
    assert len(asked) >= 4
    assert line.proxy.connections == connections


def test_a_token_that_is_all_there_is_expires(line: Line, make: Make) -> None:
    client = make(line.direct, credentials=Credentials(token=KEY.service_token(lifetime=1)))
    got = titles(client)
    assert got.get(timeout=SECONDS) is None
    # The server allows clocks to differ by some seconds.
    error = got.get(timeout=SECONDS)
    assert isinstance(error, UnauthenticatedError)


def test_a_server_that_is_not_there_is_told_at_the_deadline(make: Make) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    got = titles(make(url, timeout=1))
    start = time.monotonic()
    error = got.get(timeout=SECONDS)
    assert isinstance(error, UnreachableError)
    assert "refuses connections" in str(error)
    assert 0.8 < time.monotonic() - start < 3


def test_a_server_that_never_answers_is_told_at_the_deadline(line: Line, make: Make) -> None:
    with silent() as url:
        stuck = titles(make(url, timeout=0.4))
        client = make(line.direct)
        got = titles(client)
        assert got.get(timeout=SECONDS) is None
        save(client, "one")
        assert got.get(timeout=SECONDS) == "one"
        error = stuck.get(timeout=SECONDS)
        assert isinstance(error, UnreachableError)
        assert "0.4 seconds" in str(error)


@pytest.mark.parametrize("status", [404, 502])
def test_a_server_without_subscriptions(make: Make, status: int) -> None:
    scripted = Scripted()
    with serving(scripted) as url:
        scripted.socket_status = status
        got = titles(make(url, timeout=0.5))
        error = got.get(timeout=SECONDS)
        assert type(error) is (DeploymentError if status == 404 else UnreachableError)
        assert str(error) == f"{url} refuses subscriptions (status {status})"


def test_functions_of_another_version_are_told(
    line: Line, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = FUNCTIONS_VERSION + 1
    monkeypatch.setattr(compatibility, "FUNCTIONS_VERSION", number)
    got = titles(make(line.direct))
    assert isinstance(got.get(timeout=SECONDS), OlderFunctionsError)


def test_functions_in_a_folder(tmp_path: Path, make: Make) -> None:
    with server().serving(tmp_path / "store.db", prefix="mastra/") as url:
        client = make(url, prefix="mastra")
        got = titles(client)
        assert got.get(timeout=SECONDS) is None
        save(client, "one")
        assert got.get(timeout=SECONDS) == "one"
        wrong = make(url)
        with pytest.raises(ConvexStorageError, match="has no function"):
            wrong.query("threads:get", id="t")


def test_unsubscribing_at_once(line: Line, make: Make) -> None:
    client = make(line.direct)
    got: Queue[Any] = Queue()
    for _ in range(20):
        client.subscribe(get(), got.put)()
    stays = titles(client)
    assert stays.get(timeout=SECONDS) is None
    assert got.empty()


def test_closing_ends_subscriptions_and_leaves_no_thread(line: Line, make: Make) -> None:
    client = make(line.direct)
    got = titles(client)
    assert got.get(timeout=SECONDS) is None
    client.close()
    assert isinstance(got.get(timeout=SECONDS), StorageClosedError)
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith("mastra-convex-remote")}
    with pytest.raises(StorageClosedError):
        client.subscribe(get(), got.put)


def test_a_mistake_of_ours_is_logged_and_ends_nothing(
    line: Line, make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mastra_convex.protocol.client_session import ClientSession

    right = ClientSession.receive
    wrong: list[str] = []

    def receive(self: ClientSession, text: str) -> set[int] | None:
        if not wrong:
            wrong.append(text)
            raise NotImplementedError("a mistake")
        return right(self, text)

    monkeypatch.setattr(ClientSession, "receive", receive)
    with caplog.at_level(logging.ERROR, "mastra_convex"):
        got = titles(make(line.direct))
        assert got.get(timeout=SECONDS) is None
    assert "connecting again" in caplog.text

"""`mastra-convex dev` as people run it: started, stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from mastra_convex import ConvexStorage
from mastra_convex.cli.dev import _url
from mastra_convex.tokens import Key
from tests.cli.processes import environment, run
from tests.server.process import Dev, dev
from tests.server.support import message, thread


def saved(path: Path) -> list[str]:
    """The ids of the messages in the file."""
    with ConvexStorage(path) as storage:
        return [one.id for one in storage.list_messages("t", per_page=False).messages]


def test_it_starts_serves_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    server = Dev(path)
    assert server.url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with server.socket(session=str(uuid.uuid4())) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        server.call("mutation", "threads:save", thread("t", title="one"))
        peer.until_value(0, lambda value: value and value["title"] == "one")
        begun = time.monotonic()
        rest = server.end()
        assert time.monotonic() - begun < 8
        with pytest.raises(ConnectionClosed) as closed:
            peer.until(lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in {1001, 1012}
    assert server.process.returncode == 0
    assert rest == "Stopped; every accepted write is durable.\n"
    # The key is shown once, to whoever started it, and stays.
    again = Dev(path)
    assert again.key.kid == server.key.kid
    assert again.call("query", "threads:get", {"id": "t"})["title"] == "one"
    again.end()


def test_what_was_answered_before_the_end_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    server = Dev(path)
    answered = []
    with server.socket(session=str(uuid.uuid4())) as peer:
        peer.result("threads:save", thread("t"))
        for number in range(200):
            peer.mutate("messages:save", message(f"m{number}", "t"), request_id=number + 100)
        peer.until_type("MutationResponse")
        answered.append("m0")
        server.process.send_signal(signal.SIGINT)
        with suppress(ConnectionClosed):
            while True:
                told = peer.until_type("MutationResponse")
                assert told["success"] is True
                answered.append(f"m{told['requestId'] - 100}")
    server.end()
    found = saved(path)
    assert set(answered) <= set(found)
    # What began happened in order, and nothing but that.
    assert found == [f"m{number}" for number in range(len(found))]


def test_a_kill_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    path, session = tmp_path / "a.db", str(uuid.uuid4())
    total, answered = 120, set()
    for attempt in range(4):
        server = Dev(path)
        try:
            with server.socket(session=session) as peer:
                peer.mutate("threads:save", thread("t"), request_id=1000)
                left = [number for number in range(total) if number not in answered]
                for number in left:
                    # An id of its own each time: only the request says that it is the same.
                    fresh = message(f"{number}-{uuid.uuid4()}", "t")
                    peer.mutate("messages:save", fresh, request_id=number)
                for count in range(len(left) + 1):
                    if attempt < 3 and count == 20:
                        break
                    told = peer.until_type("MutationResponse")
                    assert told["success"] is True
                    answered.add(told["requestId"])
                server.kill()
        except ConnectionClosed:
            pass
        finally:
            server.kill()
    answered.discard(1000)
    assert answered == set(range(total))
    numbers = [int(name.partition("-")[0]) for name in saved(path)]
    assert sorted(numbers) == list(range(total))


def test_a_key_is_changed_while_it_runs(tmp_path: Path) -> None:
    keys = tmp_path / "a.db.keys"
    with dev(tmp_path / "a.db") as server, server.socket(session=str(uuid.uuid4())) as peer:
        peer.watch(0, "threads:get", {"id": "t"})
        peer.until_value(0, lambda value: True)
        new = Key.generate()
        keys.write_text(f"{new.to_text()}\n")
        assert peer.until_type("AuthError")["authUpdateAttempted"] is False
        server.key = new
        assert server.call("query", "threads:get", {"id": "t"}) is None


def test_the_key_comes_from_the_environment_or_the_env_file(tmp_path: Path) -> None:
    first, second = Key.generate(), Key.generate()
    (tmp_path / ".env.local").write_text(f"MASTRA_CONVEX_KEY={first.to_text()}\n")
    with dev(tmp_path / "a.db") as server:
        assert server.key.kid == first.kid
    env = environment(MASTRA_CONVEX_KEY=second.to_text())
    with dev(tmp_path / "a.db", env=env) as server:
        assert server.key.kid == second.kid
    assert not (tmp_path / "a.db.keys").exists()


def test_the_admin_key_is_shown_when_asked_for(tmp_path: Path) -> None:
    with dev(tmp_path / "a.db", "--show-admin-key", "--function-prefix", "/mastra/") as server:
        assert f"CONVEX_SELF_HOSTED_ADMIN_KEY='{server.key.admin_key()}'" in server.told
        assert server.call("query", "mastra/threads:get", {"id": "t"}) is None


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("dev", "--db", tmp_path / "a.db", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert "give another --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("no database " * 1000)
    done = run("dev", "--db", tmp_path / "a.db", "--port", 0, cwd=tmp_path)
    assert done.returncode == 1
    assert "FILE_CORRUPT" in done.stderr
    assert "Serving" not in done.stdout


def test_what_is_no_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for database in ("folder", ":memory:", "http://127.0.0.1:3210"):
        done = run("dev", "--db", database, "--port", 0, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Invalid value for '--db'" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_key_that_is_none(tmp_path: Path) -> None:
    env = environment(MASTRA_CONVEX_KEY="mastra-convex-key-1.secret")
    done = run("dev", "--db", tmp_path / "a.db", "--port", 0, cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "is not a signing key" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("::", "http://127.0.0.1:1"),
        ("localhost", "http://localhost:1"),
    ],
)
def test_addresses(host: str, url: str) -> None:
    assert _url(host, 1) == url


def test_it_is_served_in_a_second_or_so(tmp_path: Path) -> None:
    begun = os.times().children_user + os.times().children_system
    server = Dev(tmp_path / "a.db")
    server.end()
    spent = os.times().children_user + os.times().children_system - begun
    assert spent < 3, f"{spent:.1f} s of processor"

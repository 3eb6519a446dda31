"""The remote backend as a program has it: killed servers, broken connections, forgotten closes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mastra_convex import (
    AsyncConvexStorage,
    ConvexStorage,
    ConvexStorageError,
    UnauthenticatedError,
)
from mastra_convex.tokens import KEY_VARIABLE, Key
from tests.backends.bad_servers import silent, unused_port
from tests.backends.proxy import Proxy
from tests.contract.faces import AsyncDriver, LoopThread
from tests.served import KEY, server

SECONDS = 30.0


def message(name: str) -> dict[str, Any]:
    return {"id": name, "threadId": "t", "role": "user", "content": name}


def threads() -> list[str]:
    """The threads of this package that are there."""
    return [t.name for t in threading.enumerate() if t.name.startswith("mastra-convex-remote")]


@pytest.fixture(autouse=True)
def _key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.to_text())


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with server().serving(tmp_path / "store.db") as url:
        yield url


class Dev:
    """`mastra-convex dev` in a process of its own, on one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = ["dev", "--db", "store.db", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mastra_convex.cli.main", *command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert any("Ctrl-C" in line for line in self.process.stdout)

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait(SECONDS)
        self.process.stdout.close()


@contextmanager
def dev(folder: Path) -> Iterator[Dev]:
    found = Dev(folder)
    found.start()
    try:
        yield found
    finally:
        found.kill()


def test_a_server_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with dev(tmp_path) as running, ConvexStorage(running.url) as storage:
        storage.save_thread({"id": "t", "resourceId": "r"})
        watch = storage.watch_thread_messages("t")
        assert watch.next(SECONDS) == []
        done: list[str] = []

        def write(writer: int) -> None:
            for n in range(40):
                storage.save_message(message(f"{writer}-{n}"))
                done.append(f"{writer}-{n}")

        writers = [threading.Thread(target=write, args=(k,)) for k in range(3)]
        for each in writers:
            each.start()
        for at in (20, 60):
            while len(done) < at:
                assert any(each.is_alive() for each in writers)
                time.sleep(0.01)
            running.kill()
            running.start()
        for each in writers:
            each.join(SECONDS)
        found = storage.get_messages("t")
        assert sorted(each.id for each in found) == sorted(done)
        assert len(done) == storage.list_messages("t").total == 120
        assert sorted(each.seq or 0 for each in found) == list(range(1, 121))
        # The subscription lived through it, and ends at the truth.
        while watch.next(SECONDS) != found:
            pass
        watch.close()


def test_keys_and_clocks_that_change_while_there_are_subscriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Key.generate(), Key.generate()
    file, signing = tmp_path / "store.db.keys", [old]
    file.write_text(old.to_text())
    monkeypatch.delenv(KEY_VARIABLE)

    def token() -> str:
        return signing[0].service_token()

    loop = LoopThread()
    with dev(tmp_path) as running:
        faces: list[Any] = [
            ConvexStorage(running.url, token=token),
            AsyncDriver(AsyncConvexStorage(running.url, token=token), loop),
        ]
        watches = [face.watch_thread("t") for face in faces]
        assert [watch.next(SECONDS) for watch in watches] == [None, None]
        # First the server knows both, then clients sign with the new one, then the old one goes. It
        # looks at the file once a second, and must have looked both times.
        file.write_text(f"{new.to_text()}\n{old.to_text()}\n")
        time.sleep(1.2)
        signing[0] = new
        file.write_text(new.to_text())
        time.sleep(1.2)
        for face in faces:
            face.save_thread({"id": "t", "resourceId": "r", "title": type(face).__name__})
            # No subscription has noticed anything but this.
            assert [watch.next(SECONDS).title for watch in watches] == [type(face).__name__] * 2
        # A clock that is ahead makes tokens of the future, and they are not kept when it is right.
        right = time.time
        for face in faces:
            monkeypatch.setattr(time, "time", lambda: right() + 86_400)
            with pytest.raises(UnauthenticatedError, match="not yet valid"):
                face.get_thread_by_id("t")
            monkeypatch.setattr(time, "time", right)
            face.save_thread({"id": "t", "resourceId": "r", "title": f"{type(face)} again"})
            assert [watch.next(SECONDS).title for watch in watches] == [f"{type(face)} again"] * 2
        for face in faces:
            face.close()
    loop.close()


@pytest.mark.parametrize("face", ["blocking", "async"])
def test_writers_over_connections_that_break(url: str, face: str) -> None:
    parts = urlsplit(url)
    proxy = Proxy(parts.port or 0)
    broken = f"http://127.0.0.1:{proxy.port}{parts.path}"
    names = [f"{writer}-{n}" for writer in range(6) for n in range(20)]
    with ConvexStorage(url) as sure:
        sure.save_thread({"id": "t", "resourceId": "r"})
        # A call has some 900 bytes, so most connections break within a few of them, anywhere.
        proxy.cut_after = (300, 6000)
        if face == "blocking":
            with ConvexStorage(broken) as storage:
                writers = [
                    threading.Thread(
                        target=lambda k=k: [
                            storage.save_message(message(f"{k}-{n}")) for n in range(20)
                        ]
                    )
                    for k in range(6)
                ]
                for each in writers:
                    each.start()
                for each in writers:
                    each.join(SECONDS)
        else:

            async def work() -> None:
                async with AsyncConvexStorage(broken) as storage:

                    async def write(writer: int) -> None:
                        for n in range(20):
                            await storage.save_message(message(f"{writer}-{n}"))

                    await asyncio.gather(*(write(k) for k in range(6)))

            asyncio.run(work())
        proxy.close()
        found = sure.get_messages("t")
        assert sorted(each.id for each in found) == sorted(names)
        assert sure.list_messages("t").total == len(names)
        assert sorted(each.seq or 0 for each in found) == list(range(1, len(names) + 1))
        assert proxy.connections > 20


def test_the_blocking_face_leaves_no_thread(url: str) -> None:
    with ConvexStorage(url) as storage:
        assert threads() == []
        storage.save_thread({"id": "t", "resourceId": "r"})
        with storage.watch_thread("t") as watch:
            assert watch.next(SECONDS) is not None
            assert threads() == ["mastra-convex-remote"]
    assert threads() == []


def test_the_async_face_leaves_no_thread(url: str) -> None:
    async def work() -> None:
        async with AsyncConvexStorage(url) as storage:
            await storage.save_thread({"id": "t", "resourceId": "r"})
            async with storage.watch_thread("t") as watch:
                assert await watch.next(SECONDS) is not None
            assert threads() == ["mastra-convex-remote"]

    asyncio.run(work())
    assert threads() == []


def test_no_event_loop_is_blocked() -> None:
    async def work() -> float:
        with silent() as url:
            async with AsyncConvexStorage(url, timeout=1.0) as storage:
                calls = [asyncio.ensure_future(storage.get_thread_by_id("t")) for _ in range(20)]
                longest, last = 0.0, time.monotonic()
                while not all(call.done() for call in calls):
                    await asyncio.sleep(0.005)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
                await asyncio.gather(*calls, return_exceptions=True)
                return longest

    assert asyncio.run(work()) < 0.5


# What is wrong with a program that ends is told on its stderr.
FORGOTTEN = """
import sys, time
from mastra_convex import ConvexStorage
storage = ConvexStorage(sys.argv[1], timeout=20)
storage.subscribe_to_thread("t", print)
{more}
print("the end", flush=True)
"""


def run(program: str, url: str) -> tuple[float, "subprocess.CompletedProcess[str]"]:
    """Run a program; returns the seconds from its last line to its end, and what it said."""
    command = [sys.executable, "-W", "default", "-c", program, url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line == "the end\n":
                break
        start = time.monotonic()
        process.wait(SECONDS)
        spent = time.monotonic() - start
        said = process.stderr.read()
    return spent, subprocess.CompletedProcess(command, process.returncode, "", said)


def test_a_program_that_forgets_to_close_exits(url: str) -> None:
    program = FORGOTTEN.format(
        more='storage.save_thread({"id": "t", "resourceId": "r"})\ntime.sleep(0.3)\n'
        # It has seen the whole of a call and of a subscription, and loaded no engine for them.
        "print([name for name in sys.modules if 'convex.engine' in name], file=sys.stderr)"
    )
    spent, done = run(program, url)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert spent < 3


def test_a_program_exits_though_the_server_never_answers() -> None:
    more = """
import threading
threading.Thread(target=storage.get_thread_by_id, args=("t",), daemon=True).start()
time.sleep(0.3)"""
    with silent() as url:
        spent, done = run(FORGOTTEN.format(more=more), url)
    assert done.returncode == 0
    assert spent < 3


def test_an_interrupt_ends_a_call(url: str) -> None:
    program = """
import signal, sys
from mastra_convex import ConvexStorage
signal.signal(signal.SIGINT, signal.default_int_handler)
storage = ConvexStorage(sys.argv[1], timeout=20)
print("begins", flush=True)
try:
    storage.get_thread_by_id("t")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with (
        silent() as dead,
        subprocess.Popen(
            [sys.executable, "-c", program, dead], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        process.wait(SECONDS)
        assert time.monotonic() - start < 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_opens_a_storage_of_its_own(url: str) -> None:
    program = """
import os, sys
from mastra_convex import ConvexStorage, StorageClosedError
storage = ConvexStorage(sys.argv[1])
storage.save_thread({"id": "t", "resourceId": "r"})
child = os.fork()
if child == 0:
    try:
        storage.get_thread_by_id("t")
    except StorageClosedError as error:
        assert "after a fork" in str(error)
        storage = ConvexStorage(sys.argv[1])
for n in range(20):
    message = {"id": f"{child != 0}-{n}", "threadId": "t", "role": "user", "content": ""}
    storage.save_message(message)
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(len(storage.get_messages("t")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "40\n")


def test_secrets_are_in_no_error(url: str) -> None:
    secret = KEY.to_text().rpartition(".")[2]
    for given in ({"key": KEY.to_text()[:-1]}, {"token": f"a.{secret}.b"}):
        with (
            pytest.raises(ConvexStorageError) as caught,
            ConvexStorage(url, **given) as storage,  # type: ignore[arg-type]
        ):
            storage.get_thread_by_id("t")
        assert secret[:20] not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_variables_of_an_env_file_are_enough(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_URL", url)
    monkeypatch.setenv(KEY_VARIABLE, KEY.to_text())
    with ConvexStorage() as storage:
        assert storage.get_thread_by_id("t") is None

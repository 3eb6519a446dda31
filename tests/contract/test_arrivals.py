"""Following what arrives: each thread and message once, in the order of saving."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mastra_convex import AsyncConvexStorage, ConvexStorage, Message, Thread
from mastra_convex.backends.recording import AsyncRecordingBackend, RecordingBackend
from mastra_convex.reads import arrivals
from tests.contract.records import message, thread
from tests.reads.arriving import Server

Target = Callable[[ConvexStorage], object]


def blocking_follow(target: str, last: int, count: int, write: Target) -> list[Thread | Message]:
    """The first `count` arrivals that the blocking face sees while `write` runs."""
    arrived: list[Thread | Message] = []
    following = threading.Event()

    def follow(storage: ConvexStorage) -> None:
        for record in storage.follow(last):
            if record.id.startswith("sync"):
                following.set()
                continue
            arrived.append(record)
            if len(arrived) == count:
                return

    with ConvexStorage(target) as reader, ConvexStorage(target) as writer:
        # Somebody else's storage, as another process would have it.
        thread_ = threading.Thread(target=follow, args=[reader], daemon=True)
        thread_.start()
        for n in range(1000):  # until it follows: what comes before is not its to tell
            if following.wait(0.01):
                break
            writer.save_thread(thread(f"sync{n}"))
        write(writer)
        thread_.join(10)
        assert not thread_.is_alive(), f"only {len(arrived)} of {count} have arrived"
    return arrived


def test_what_is_saved_arrives_once_and_in_order(tmp_path: Path) -> None:
    target = str(tmp_path / "store.db")
    with ConvexStorage(target) as storage:
        storage.save_thread(thread("before"))
        storage.save_messages([message(f"old{n}", "before") for n in range(3)])

    def write(storage: ConvexStorage) -> None:
        for n in range(30):
            storage.save_thread(thread(f"t{n}"))
            storage.save_messages([message(f"{n}-{k}", f"t{n}") for k in range(20)])
            storage.save_thread(thread(f"t{n}", title="changed"))
            storage.save_message(message(f"{n}-0", f"t{n}", content="changed"))

    arrived = blocking_follow(target, 2, 2 + 30 * 21, write)
    assert [record.id for record in arrived[:2]] == ["old1", "old2"]
    places = {record.id: place for place, record in enumerate(arrived)}
    assert len(places) == len(arrived)
    for n in range(30):
        own = [places[f"t{n}"], *(places[f"{n}-{k}"] for k in range(20))]
        assert own == sorted(own)


def test_one_that_takes_the_place_of_a_deleted_one_arrives(tmp_path: Path) -> None:
    target = str(tmp_path / "store.db")

    def write(storage: ConvexStorage) -> None:
        storage.save_thread(thread("t"))
        for n in range(5):
            storage.save_message(message(f"m{n}", "t"))
            storage.delete_messages([f"m{n}"])
        storage.save_message(message("last", "t"))

    arrived = blocking_follow(target, 0, 2, write)
    assert arrived[0].id == "t"
    seen = [record.id for record in arrived[1:]]
    assert seen == ["last"] or seen[0].startswith("m")


def test_more_than_a_page_arrives(tmp_path: Path) -> None:
    target = str(tmp_path / "store.db")

    def write(storage: ConvexStorage) -> None:
        storage.save_thread(thread("t"))
        storage.save_messages([message(f"m{n}", "t") for n in range(1000)])
        storage.save_messages([message(f"n{n}", "t") for n in range(250)])

    arrived = blocking_follow(target, 0, 1251, write)
    expected = ["t", *(f"m{n}" for n in range(1000)), *(f"n{n}" for n in range(250))]
    assert [record.id for record in arrived] == expected


def test_following_ends_with_the_storage(tmp_path: Path) -> None:
    storage = ConvexStorage(tmp_path / "store.db")
    ended = threading.Event()

    def follow() -> None:
        assert list(storage.follow()) == []
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    with storage.watch_threads(1) as settled:
        settled.next(timeout=5)
    storage.close()
    assert ended.wait(5)


def test_the_async_face_follows(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with AsyncConvexStorage(tmp_path / "store.db") as storage:
            await storage.save_thread(thread("t"))
            arrivals = storage.follow()
            first = asyncio.ensure_future(arrivals.__anext__())
            for n in range(1000):
                await asyncio.sleep(0.01)
                if first.done():
                    break
                await storage.save_message(message(f"m{n}", "t"))
            found = [(await first).id]
            await arrivals.aclose()
            return found

    (found,) = asyncio.run(run())
    assert found.startswith("m")


def late_script(server: Server) -> dict[str, object]:
    """Answers of a server to which, when the follower has looked twice, a record comes late."""
    looks: list[list[str]] = []

    def answer(args: dict[str, float]) -> object:
        reply = server.answer("messages:listArrived", args)
        looks.append([document["id"] for document in reply["page"]])
        if looks.count(["old", "new"]) == 2:
            server.commit("messages", "late", 39_500, 3)
        return reply

    return {
        "threads:listArrived": lambda args: server.answer("threads:listArrived", args),
        "messages:listArrived": answer,
    }


def test_a_late_record_is_found_without_another_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LATE_SECONDS", 0.02)
    server = Server()
    server.commit("messages", "old", 39_000, 1)
    backend = RecordingBackend(late_script(server))
    with ConvexStorage(backend=backend) as storage:
        following = storage.follow(1)
        assert next(following).id == "old"
        server.commit("messages", "new", 40_000, 2)
        assert [next(following).id, next(following).id] == ["new", "late"]
        following.close()


def test_the_async_face_finds_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LATE_SECONDS", 0.02)

    async def run() -> list[str]:
        server = Server()
        server.commit("messages", "old", 39_000, 1)
        backend = AsyncRecordingBackend(late_script(server))
        async with AsyncConvexStorage(backend=backend) as storage:
            following = storage.follow(1)
            found = [(await following.__anext__()).id]
            server.commit("messages", "new", 40_000, 2)
            found += [(await following.__anext__()).id for _ in range(2)]
            await following.aclose()
            return found

    assert asyncio.run(run()) == ["old", "new", "late"]

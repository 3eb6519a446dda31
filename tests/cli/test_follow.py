import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex import ConvexStorage, Message, Thread
from mastra_convex.cli import follow
from mastra_convex.cli.follow import Follower

PAST = 1_700_000_000_000.0
FUTURE = 4_000_000_000_000.0


class Shown:
    """What a follower has shown."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.messages: list[tuple[str, int]] = []

    def __call__(self, thread: Thread, message: Message | None) -> None:
        if message is None:
            self.threads.append(thread.id)
        else:
            assert message.thread_id == thread.id
            assert message.seq is not None
            self.messages.append((message.id, message.seq))

    def take(self) -> list[str]:
        """The messages since the last time."""
        taken, self.messages = self.messages, []
        return [message_id for message_id, _ in taken]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[ConvexStorage]:
    with ConvexStorage(tmp_path / "store.db", durability="relaxed") as opened:
        yield opened


def add_thread(storage: ConvexStorage, thread_id: str, **more: Any) -> None:
    storage.save_thread({"id": thread_id, "resourceId": "r", **more})


def add(storage: ConvexStorage, thread_id: str, *ids: str, **more: Any) -> None:
    storage.save_messages(
        {"id": key, "threadId": thread_id, "role": "user", "content": "x", **more} for key in ids
    )


def following(
    storage: ConvexStorage, last: int = 0, thread_id: str | None = None
) -> tuple[Follower, Shown]:
    shown = Shown()
    follower = Follower(storage, shown, thread_id)
    follower.begin(last)
    return follower, shown


def test_it_begins_with_the_last_messages_of_the_threads_that_changed_last(
    storage: ConvexStorage,
) -> None:
    for name in "abc":
        add_thread(storage, name)
        add(storage, name, *(f"{name}{n}" for n in range(4)))
        time.sleep(0.002)
    follower, shown = following(storage, last=6)
    assert shown.take() == ["b2", "b3", "c0", "c1", "c2", "c3"]
    follower.look()
    assert shown.take() == []
    _, shown = following(storage, last=100)
    assert len(shown.take()) == 12
    _, shown = following(storage, last=0)
    assert shown.take() == []


def test_what_is_new_is_shown_once(storage: ConvexStorage) -> None:
    add_thread(storage, "old")
    add(storage, "old", "o1")
    follower, shown = following(storage)
    add(storage, "old", "o2", "o3")
    add_thread(storage, "new")
    follower.look()
    assert shown.take() == ["o2", "o3"]
    assert shown.threads == ["new"]
    add(storage, "new", "n1")
    storage.update_messages([{"id": "o1", "content": "changed"}])
    follower.look()
    follower.look()
    assert shown.take() == ["n1"]
    assert shown.threads == ["new"]


def test_a_thread_dated_in_the_past_is_shown_with_its_messages(storage: ConvexStorage) -> None:
    add_thread(storage, "old")
    add(storage, "old", "o1")
    follower, shown = following(storage)
    add_thread(storage, "imported", createdAt=PAST)
    follower.look()
    add(storage, "imported", "i1", "i2", createdAt=PAST)
    follower.look()
    assert shown.take() == ["i1", "i2"]


def test_a_thread_dated_in_the_future_hides_nothing(storage: ConvexStorage) -> None:
    add_thread(storage, "future", updatedAt=FUTURE)
    add_thread(storage, "present")
    follower, shown = following(storage)
    for number in range(3):
        add(storage, "future", f"f{number}")
        add(storage, "present", f"p{number}")
        follower.look()
        assert sorted(shown.take()) == [f"f{number}", f"p{number}"]


def test_the_second_message_of_a_millisecond_is_not_missed(
    storage: ConvexStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_thread(storage, "t")
    follower, shown = following(storage)
    frozen = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    for number in range(5):
        add(storage, "t", f"m{number}")
        follower.look()
        assert shown.take() == [f"m{number}"]


def test_a_message_dated_in_the_past_is_not_missed(storage: ConvexStorage) -> None:
    add_thread(storage, "t")
    add(storage, "t", *(f"m{n}" for n in range(300)))
    follower, shown = following(storage)
    add(storage, "t", "new")
    add(storage, "t", "past", createdAt=PAST)
    follower.look()
    assert shown.take() == ["new", "past"]
    storage.delete_messages(["m7"])
    add(storage, "t", "past too", createdAt=PAST)
    follower.look()
    assert shown.take() == ["past too"]


def test_more_than_a_page_at_once(storage: ConvexStorage) -> None:
    follower, shown = following(storage)
    for number in range(250):
        add_thread(storage, f"t{number:03}", createdAt=PAST)
        add(storage, f"t{number:03}", f"m{number:03}", createdAt=PAST)
    add(storage, "t000", *(f"n{n:03}" for n in range(250)))
    follower.look()
    assert sorted(shown.take()) == sorted(
        [*(f"m{n:03}" for n in range(250)), *(f"n{n:03}" for n in range(250))]
    )
    assert len(shown.threads) == 250


def test_a_thread_that_is_made_anew_begins_anew(storage: ConvexStorage) -> None:
    add_thread(storage, "t")
    add(storage, "t", "a1", "a2", "a3")
    follower, shown = following(storage)
    storage.delete_thread("t")
    follower.look()
    time.sleep(0.002)
    add_thread(storage, "t")
    add(storage, "t", "b1")
    follower.look()
    assert shown.take() == ["b1"]


def test_one_thread_only(storage: ConvexStorage) -> None:
    follower, shown = following(storage, last=5, thread_id="wanted")
    follower.look()
    for name in ("wanted", "other"):
        add_thread(storage, name)
        add(storage, name, f"{name}-1")
    follower.look()
    add(storage, "wanted", "wanted-2")
    add(storage, "other", "other-2")
    follower.look()
    assert shown.take() == ["wanted-1", "wanted-2"]
    assert shown.threads == ["wanted"]
    _, shown = following(storage, last=1, thread_id="wanted")
    assert shown.take() == ["wanted-2"]


def test_threads_that_are_too_many_to_count(
    storage: ConvexStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_COUNTED", 2)
    add_thread(storage, "empty", createdAt=PAST)
    for number in range(5):
        add_thread(storage, f"t{number}")
        add(storage, f"t{number}", f"a{number}")
        time.sleep(0.002)
    follower, shown = following(storage)
    time.sleep(0.002)
    follower.look()
    assert shown.take() == []
    add(storage, "t0", "b0")
    add(storage, "t4", "b4")
    add(storage, "empty", "e", createdAt=PAST)
    add_thread(storage, "new", createdAt=PAST)
    add(storage, "new", "n", createdAt=PAST)
    follower.look()
    assert sorted(shown.take()) == ["b0", "b4", "e", "n"]
    add(storage, "t0", "c0", createdAt=PAST)
    follower.look()
    assert shown.take() == ["c0"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_every_message_is_shown_once_and_in_order(
    storage: ConvexStorage, seed: int
) -> None:
    chance = random.Random(seed)
    follower, shown = following(storage)
    expected: dict[str, list[str]] = defaultdict(list)
    alive: list[str] = []
    for step in range(150):
        thread_id = f"t{chance.randrange(5)}"
        when = chance.choice([{}, {}, {"createdAt": PAST}, {"createdAt": FUTURE}])
        if thread_id not in expected:
            add_thread(storage, thread_id, **chance.choice([when, {"updatedAt": FUTURE}]))
        new = [f"m{step}-{n}" for n in range(chance.choice([1, 1, 2, 100]))]
        add(storage, thread_id, *new, **when)
        expected[thread_id] += new
        alive += new
        action = chance.random()
        if action < 0.2:
            storage.update_thread(thread_id, title=f"title {step}")
        elif action < 0.4:
            storage.update_messages([{"id": chance.choice(alive), "content": "changed"}])
        if action > 0.5:
            follower.look()
            if chance.random() < 0.3:
                gone = alive.pop(chance.randrange(len(alive)))
                storage.delete_messages([gone])
    follower.look()
    owners = {message_id: name for name, ids in expected.items() for message_id in ids}
    found: dict[str, list[str]] = defaultdict(list)
    for message_id, seq in shown.messages:
        thread_id = owners[message_id]
        found[thread_id].append(message_id)
        assert seq == len(found[thread_id])
    assert found == expected

"""Messages that change: updated, moved to another thread, deleted."""

import time
from typing import Any

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError, NotFoundError
from tests.contract.records import at, ids, message, now, records_of, recounted, thread, updated_at


@pytest.fixture
def two_threads(storage: ConvexStorage) -> ConvexStorage:
    """Thread A with a1, a2, a3 and thread B with b1, b2; made long ago."""
    for name, count in (("A", 3), ("B", 2)):
        storage.save_thread(thread(name))
        storage.save_messages(
            [message(f"{name.lower()}{n}", name, createdAt=at(n)) for n in range(1, count + 1)]
        )
        storage.save_thread(thread(name, updatedAt=at(0)))
    return storage


def test_what_is_left_out_stays(two_threads: ConvexStorage) -> None:
    storage = two_threads
    content = {"format": 2, "parts": [1], "metadata": {"a": 1, "n": {"x": 1}}}
    storage.save_message(message("a1", "A", content=content, type="v2", resourceId="r", x=1))
    (changed,) = storage.update_messages([{"id": "a1", "role": "assistant"}])
    assert (changed.role, changed.type, changed.resource_id) == ("assistant", "v2", "r")
    assert (changed.content, changed.extra) == (content, {"x": 1})
    (changed,) = storage.update_messages([{"id": "a1", "type": "text", "resource_id": "s"}])
    assert (changed.role, changed.type, changed.resource_id) == ("assistant", "text", "s")
    (same,) = storage.update_messages([{"id": "a1", "role": None, "content": None}])
    assert same == changed == storage.list_messages_by_id(["a1"])[0]


MERGES: list[tuple[Any, Any, Any]] = [
    # Member by member; a list is replaced as a whole (interface, 3.8 and vector 13).
    ({"parts": [1], "text": "x"}, {"parts": [2]}, {"parts": [2], "text": "x"}),
    (
        {"parts": [1], "metadata": {"a": 1}},
        {"metadata": {"b": 2}},
        {"parts": [1], "metadata": {"a": 1, "b": 2}},
    ),
    ({"metadata": {"a": {"x": 1}}}, {"metadata": {"a": {}}}, {"metadata": {"a": {}}}),
    ({"metadata": {"a": 1}}, {"metadata": None}, {"metadata": None}),
    ({"metadata": None}, {"metadata": {"b": 2}}, {"metadata": {"b": 2}}),
    ({"parts": []}, {"metadata": {"b": 2}}, {"parts": [], "metadata": {"b": 2}}),
    ({"parts": []}, {}, {"parts": []}),
    ({"parts": []}, "text", "text"),
    ("text", {"parts": []}, {"parts": []}),
    ("text", "", ""),
    ([1], [2], [2]),
    ({"n": 2**70}, {"m": -0.5}, {"n": 2**70, "m": -0.5}),
]


def test_content_is_laid_over_the_old(two_threads: ConvexStorage) -> None:
    for old, new, merged in MERGES:
        two_threads.save_message(message("a1", "A", content=old))
        (changed,) = two_threads.update_messages([{"id": "a1", "content": new}])
        assert changed.content == merged
        assert two_threads.get_messages("A")[0].content == merged


def test_an_update_bumps_the_thread(two_threads: ConvexStorage) -> None:
    storage = two_threads
    storage.save_thread(thread("A", updatedAt=now() + 60_000))
    times = [updated_at(storage, "A")]
    for change in ({"id": "a1"}, {"id": "a1", "role": "system"}, {"id": "a1", "role": "system"}):
        storage.update_messages([change])
        times.append(updated_at(storage, "A"))
    # Even when nothing is changed, and even in the future, as in Mastra.
    assert times == sorted(set(times))
    assert updated_at(storage, "B").timestamp() * 1000 == at(0)


def test_unknown_messages_are_skipped(two_threads: ConvexStorage) -> None:
    changes = [{"id": "no", "role": "x"}, {"id": "b1", "role": "x"}, {"id": "a1", "role": "y"}]
    found = two_threads.update_messages(changes)
    assert [(each.id, each.role) for each in found] == [("b1", "x"), ("a1", "y")]
    assert two_threads.update_messages([{"id": "no", "threadId": "also no"}]) == []


def test_one_message_twice_in_an_update(two_threads: ConvexStorage) -> None:
    found = two_threads.update_messages(
        [{"id": "a1", "content": {"a": 1}}, {"id": "a1", "content": {"b": 2}}]
    )
    assert [each.content for each in found] == [{"a": 1}, {"a": 1, "b": 2}]


def test_a_message_moves(two_threads: ConvexStorage) -> None:
    storage = two_threads
    (moved,) = storage.update_messages([{"id": "a2", "threadId": "B"}])
    assert (moved.thread_id, moved.seq) == ("B", 3)
    assert ids(storage.get_messages("A")) == ["a1", "a3"]
    assert ids(storage.get_messages("B")) == ["b1", "b2", "a2"]
    assert [storage.list_messages(name).total for name in "AB"] == [2, 3]
    # Vector 14: both are bumped, the one it came to by at least a millisecond more.
    assert at(0) < updated_at(storage, "A").timestamp() * 1000
    later = updated_at(storage, "B") - updated_at(storage, "A")
    assert later.total_seconds() >= 0.001
    # Back again, as the youngest of its time.
    storage.update_messages([{"id": "a2", "thread_id": "A"}])
    assert ids(storage.get_messages("A")) == ["a1", "a2", "a3"]
    assert updated_at(storage, "A") > updated_at(storage, "B")
    assert records_of(storage) == recounted(storage)


def test_saving_under_another_thread_moves(two_threads: ConvexStorage) -> None:
    storage = two_threads
    saved = storage.save_message(message("a2", "B", createdAt=at(99)))
    assert saved.created_at.timestamp() * 1000 == at(2)
    assert ids(storage.get_messages("A")) == ["a1", "a3"]
    assert ids(storage.get_messages("B")) == ["b1", "b2", "a2"]
    assert [storage.list_messages(name).total for name in "AB"] == [2, 3]
    # Vector 15: the thread it left is not touched.
    assert updated_at(storage, "A").timestamp() * 1000 == at(0)
    assert updated_at(storage, "B").timestamp() * 1000 > at(0)


def test_moves_within_one_call(two_threads: ConvexStorage) -> None:
    storage = two_threads
    storage.update_messages(
        [
            {"id": "a1", "threadId": "B"},
            {"id": "b1", "threadId": "A"},
            {"id": "a1", "threadId": "A"},
            {"id": "a1", "threadId": "B"},
        ]
    )
    assert ids(storage.get_messages("A")) == ["b1", "a2", "a3"]
    assert ids(storage.get_messages("B")) == ["a1", "b2"]
    assert [storage.list_messages(name).total for name in "AB"] == [3, 2]
    storage.save_messages([message("a2", "B"), message("c", "A"), message("a2", "A")])
    assert [storage.list_messages(name).total for name in "AB"] == [4, 2]
    assert records_of(storage) == recounted(storage)


def test_a_message_cannot_move_to_nowhere(two_threads: ConvexStorage) -> None:
    storage = two_threads
    before = storage.get_messages("A")
    text = "update_messages: message 'a2' cannot move to thread 'no', which does not exist; save"
    with pytest.raises(NotFoundError, match=text) as caught:
        storage.update_messages([{"id": "a1", "role": "x"}, {"id": "a2", "threadId": "no"}])
    assert caught.value.data == {"table": "threads", "id": "no"}
    assert storage.get_messages("A") == before
    assert updated_at(storage, "A").timestamp() * 1000 == at(0)


def test_other_fields_cannot_be_updated(two_threads: ConvexStorage) -> None:
    for field in ("createdAt", "seq", "custom", "metadata"):
        with pytest.raises(InvalidArgumentError, match=f"message 'a1': {field} cannot be updated"):
            two_threads.update_messages([{"id": "a1", field: 1}])


def test_bad_updates_are_refused(two_threads: ConvexStorage) -> None:
    for bad in ({"role": "x"}, {"id": 5}, "a1", None):
        with pytest.raises(InvalidArgumentError, match="a mapping with its id"):
            two_threads.update_messages([bad])  # type: ignore[list-item]
    for several in ({"id": "a1"}, "a1", None, 5):
        with pytest.raises(InvalidArgumentError, match="update_messages: messages is a list"):
            two_threads.update_messages(several)  # type: ignore[arg-type]
    for field in ("role", "type", "threadId", "resourceId"):
        with pytest.raises(InvalidArgumentError, match=rf"messages\[0\].{field} must be text"):
            two_threads.update_messages([{"id": "a1", field: 5}])
    with pytest.raises(InvalidArgumentError, match="'a1': threadId is given twice"):
        two_threads.update_messages([{"id": "a1", "threadId": "A", "thread_id": "B"}])


def test_messages_are_deleted(two_threads: ConvexStorage) -> None:
    storage = two_threads
    storage.delete_messages(["a2", "b1", "no", "a2"])
    assert ids(storage.get_messages("A")) == ["a1", "a3"]
    assert ids(storage.get_messages("B")) == ["b2"]
    assert [storage.list_messages(name).total for name in "AB"] == [2, 1]
    assert records_of(storage) == recounted(storage)
    for name in "AB":
        assert updated_at(storage, name).timestamp() * 1000 > at(0)


def test_deleting_again_changes_nothing(two_threads: ConvexStorage) -> None:
    storage = two_threads
    storage.delete_messages(("a1",))
    before = (updated_at(storage, "A"), storage.get_statistics())
    time.sleep(0.002)
    storage.delete_messages(["a1"])
    storage.delete_messages(["no"])
    assert (updated_at(storage, "A"), storage.get_statistics()) == before


def test_a_number_of_saving_is_never_given_twice(two_threads: ConvexStorage) -> None:
    storage = two_threads
    storage.delete_messages(["a3"])
    assert storage.save_message(message("a4", "A")).seq == 4
    storage.delete_messages(ids(storage.get_messages("A")))
    assert storage.save_message(message("a5", "A")).seq == 5

"""Threads: save, get, update, delete."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, NotFoundError, Thread
from tests.contract.records import (
    T0,
    Doc,
    at,
    exactly,
    ids,
    json_objects,
    message,
    now,
    on_one_storage,
    save_conversation,
    thread,
)


def test_a_missing_thread_is_none(storage: ConvexStorage) -> None:
    assert storage.get_thread_by_id("t") is None
    assert storage.get_thread_by_id("") is None


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    given = thread(title="Trip", metadata={"a": [1, {"b": None}]}, updatedAt=at(5))
    saved = storage.save_thread(given)
    assert storage.get_thread_by_id("t") == saved
    assert saved.to_dict() == given
    assert (saved.id, saved.resource_id, saved.title) == ("t", "r", "Trip")
    assert saved.metadata == {"a": [1, {"b": None}]}
    assert saved.created_at == datetime.fromtimestamp(T0 / 1000, timezone.utc)
    assert saved.updated_at == saved.created_at + timedelta(seconds=5)


@pytest.mark.parametrize(
    "given",
    [
        {"id": "t", "resourceId": "r", "title": "T", "createdAt": T0},
        {"id": "t", "resource_id": "r", "title": "T", "created_at": T0},
        {"id": "t", "resource_id": "r", "title": "T", "createdAt": "2023-11-14T22:13:20Z"},
        {"id": "t", "resourceId": "r", "title": "T", "createdAt": float(T0), "metadata": None},
        Thread(
            id="t",
            resource_id="r",
            title="T",
            created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
        ),
    ],
    ids=["camelCase", "snake_case", "ISO 8601", "None", "model"],
)
def test_every_form_of_a_thread_is_the_same(storage: ConvexStorage, given: Any) -> None:
    storage.save_thread(given)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.to_dict() == thread(title="T", updatedAt=T0)


def test_arguments_go_by_position_or_by_name(storage: ConvexStorage) -> None:
    storage.save_thread(thread=thread())
    storage.update_thread("t", "A", {"k": 1})
    storage.update_thread(id="t", title="B", metadata={"l": 2})
    found = storage.get_thread_by_id(thread_id="t", resource_id="r")
    assert found == storage.get_thread_by_id("t", "r")
    assert found is not None
    assert (found.title, found.metadata) == ("B", {"k": 1, "l": 2})
    storage.delete_thread(thread_id="t")
    assert storage.get_thread_by_id("t") is None


def test_times_that_are_left_out_are_now(storage: ConvexStorage) -> None:
    before = now()
    saved = storage.save_thread({"id": "t", "resourceId": "r"})
    assert before - 1 <= saved.created_at.timestamp() * 1000 <= now() + 1
    assert saved.updated_at == saved.created_at


def test_fields_we_do_not_know_survive(storage: ConvexStorage) -> None:
    given = thread(pinned=True, x_rank=None, extra={"y": 1}, nested={"snake_case": [1.0]})
    storage.save_thread(given)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.to_dict() == given | {"updatedAt": T0}
    assert found.extra["nested"] == {"snake_case": [1.0]}
    # And again, when what was read is saved.
    assert storage.save_thread(found) == found
    assert storage.save_thread(found.to_dict()) == found


def test_saving_the_same_again_changes_nothing(storage: ConvexStorage) -> None:
    for form in (thread(), {"id": "u", "resourceId": "r", "title": "T", "metadata": {"a": 1}}):
        first = storage.save_thread(form)
        assert storage.save_thread(form) == first
        storage.save_message(message("m-" + first.id, first.id))
        bumped = storage.get_thread_by_id(first.id)
        assert bumped is not None
        assert storage.save_thread(form) == bumped
        assert storage.get_thread_by_id(first.id) == bumped


def test_saving_replaces_all_but_the_time_of_creation(storage: ConvexStorage) -> None:
    storage.save_thread(thread(title="Old", metadata={"a": 1}, pinned=True))
    storage.save_message(message())
    storage.save_thread(thread(resource="s", createdAt=at(9), updatedAt=at(2), unknown=1))
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.to_dict() == thread(resource="s", updatedAt=at(2), unknown=1)
    assert ids(storage.get_messages("t")) == ["m"]


def test_a_changed_thread_moves_on_in_time(storage: ConvexStorage) -> None:
    far = now() + 1_000_000_000
    storage.save_thread(thread(updatedAt=far))
    saved = storage.save_thread(thread(title="New"))
    assert saved.updated_at.timestamp() * 1000 == pytest.approx(far + 1, abs=0.01)


def test_update_changes_what_is_given(storage: ConvexStorage) -> None:
    old = storage.save_thread(thread(title="T", metadata={"a": {"x": 1}, "b": 2}))
    new = storage.update_thread("t", title="U")
    assert (new.title, new.metadata) == ("U", old.metadata)
    assert new.created_at == old.created_at
    assert new.updated_at > old.updated_at
    new = storage.update_thread("t", metadata={"a": {"y": 1}, "c": None})
    # At the top only: what is nested is replaced, and no key can be removed.
    assert (new.title, new.metadata) == ("U", {"a": {"y": 1}, "b": 2, "c": None})
    assert storage.update_thread("t", title="").title == ""
    assert storage.update_thread("t", metadata={}).metadata == {"a": {"y": 1}, "b": 2, "c": None}
    assert storage.get_thread_by_id("t") is not None


def test_metadata_may_be_added_to_a_thread_without(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    assert storage.update_thread("t", metadata={"a": 1}).metadata == {"a": 1}


def test_an_empty_update_moves_the_thread_on(storage: ConvexStorage) -> None:
    times = [storage.save_thread(thread(updatedAt=now() + 60_000)).updated_at]
    for _ in range(3):
        times.append(storage.update_thread("t").updated_at)
    assert times == [times[0] + timedelta(milliseconds=n) for n in range(4)]


def test_a_patch_is_an_update(storage: ConvexStorage) -> None:
    storage.save_thread(thread(title="T", metadata={"a": 1}))
    assert storage.patch_thread("t", metadata={"b": 2}).metadata == {"a": 1, "b": 2}
    patched = storage.patch_thread(id="t", title="U")
    assert (patched.title, patched.metadata) == ("U", {"a": 1, "b": 2})
    with pytest.raises(NotFoundError, match="patch_thread: there is no thread 'u'; save it first"):
        storage.patch_thread("u", title="T")


def test_updating_a_missing_thread_fails(storage: ConvexStorage) -> None:
    with pytest.raises(NotFoundError, match="update_thread: there is no thread 't'; save it first"):
        storage.update_thread("t", title="T")
    assert storage.get_thread_by_id("t") is None


def test_only_the_owner_gets_it(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    assert storage.get_thread_by_id("t", resource_id="r") is not None
    assert storage.get_thread_by_id("t", resource_id="s") is None
    # Given, though empty; unlike in a list, that is no "everybody".
    assert storage.get_thread_by_id("t", resource_id="") is None


def test_deleting_takes_the_messages_along(storage: ConvexStorage) -> None:
    for name in ("t", "u"):
        storage.save_thread(thread(name))
        storage.save_messages([message(f"{name}{n}", name) for n in range(3)])
    storage.save_resource({"id": "r", "workingMemory": "kept"})
    storage.delete_thread("t")
    assert storage.get_thread_by_id("t") is None
    assert storage.get_messages("t") == []
    assert storage.list_messages_by_id(["t0", "t1", "u0"]) == storage.get_messages("u")[:1]
    assert len(storage.get_messages("u")) == 3
    assert storage.get_resource_by_id("r") is not None


def test_deleting_again_or_nothing_is_fine(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.delete_thread("t")
    storage.delete_thread("t")
    storage.delete_thread("never")
    assert storage.list_threads().total == 0


def test_a_deleted_thread_can_come_back_empty(storage: ConvexStorage) -> None:
    storage.save_thread(thread(title="Old", metadata={"a": 1}))
    storage.save_messages([message("a"), message("b")])
    storage.delete_thread("t")
    storage.save_thread(thread(createdAt=at(7)))
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.to_dict() == thread(createdAt=at(7), updatedAt=at(7))
    assert storage.get_messages("t") == []
    assert storage.list_messages("t").total == 0


def test_a_copy_is_given_out(storage: ConvexStorage) -> None:
    given: Doc = thread(metadata={"a": [1]})
    saved = storage.save_thread(given)
    given["metadata"]["a"].append(2)
    assert saved.metadata is not None
    saved.metadata["a"].append(3)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert found.metadata == {"a": [1]}


@on_one_storage
@given(metadata=json_objects)
def test_metadata_is_kept_exactly(storage: ConvexStorage, metadata: Doc) -> None:
    saved = storage.save_thread(thread(metadata=metadata))
    assert exactly(saved.metadata, metadata)
    found = storage.get_thread_by_id("t")
    assert found is not None
    assert exactly(found.metadata, metadata)
    merged = storage.update_thread("t", metadata=metadata).metadata
    assert exactly(merged, metadata)


def test_any_text_is_an_id(storage: ConvexStorage) -> None:
    for name in ("ünïcödé", "a\0b", "'; --", "x" * 2000, "a b", "%_*", "🧵"):
        storage.save_thread(thread(name, resource=name))
        storage.save_message(message(name, name))
        assert ids(storage.list_threads(name).threads) == [name]
        assert ids(storage.get_messages(name)) == [name]
        assert storage.get_thread_by_id(name[:-1]) is None
        storage.delete_thread(name)
        assert storage.list_threads(name).total == 0


def test_a_thread_is_given_away_with_its_messages(storage: ConvexStorage) -> None:
    first = storage.save_thread(thread(title="T", metadata={"a": 1}, updatedAt=now() + 60_000))
    owners = {"a": "r", "b": "s", "c": "else"}
    storage.save_messages([message(id, resourceId=owner) for id, owner in owners.items()])
    storage.save_message(message("n"))
    before = storage.get_thread_by_id("t")
    assert before is not None
    assert storage.update_thread_resource_id("t", "r") == before
    given = storage.update_thread_resource_id("t", "s")
    assert given.to_dict() == {
        **first.to_dict(),
        "resourceId": "s",
        "updatedAt": before.to_dict()["updatedAt"] + 1,
    }
    assert storage.get_thread_by_id("t") == given
    assert {each.resource_id for each in storage.get_messages("t")} == {"s"}
    assert storage.list_threads("r").total == 0
    assert storage.list_threads("s").total == 1
    assert storage.list_messages_by_resource_id("s").total == 4
    assert storage.list_messages_by_resource_id("r").total == 0
    # What the resources themselves have is theirs.
    assert storage.get_resource_by_id("s") is None


def test_a_missing_thread_cannot_be_given_away(storage: ConvexStorage) -> None:
    with pytest.raises(NotFoundError, match="update_thread_resource_id: there is no thread 't'"):
        storage.update_thread_resource_id("t", "s")
    for bad in ("", None, 5):
        with pytest.raises(ValueError, match="update_thread_resource_id: resource_id must be text"):
            storage.update_thread_resource_id("t", bad)  # type: ignore[arg-type]


def test_a_long_thread_is_given_away(storage: ConvexStorage) -> None:
    names = save_conversation(storage, 1200)
    with storage.watch_resource_messages("s", last=5) as newest:
        assert newest.next(5) == []
        storage.update_thread_resource_id("t", "s")
        assert ids(newest.next(5)) == names[-5:]
    assert storage.list_messages("t", "s", per_page=1).total == 1200

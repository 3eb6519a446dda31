"""Resources: working memory and metadata of a user or another owner."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_convex import ConvexStorage, InvalidArgumentError, Resource
from tests.contract.records import (
    T0,
    Doc,
    at,
    exactly,
    json_objects,
    json_text,
    json_values,
    now,
    on_one_storage,
    thread,
)


def resource(id: str = "r", **fields: Any) -> Doc:
    """A resource, made at the first moment."""
    return {"id": id, "createdAt": T0, **fields}


def test_a_missing_resource_is_none(storage: ConvexStorage) -> None:
    assert storage.get_resource_by_id("r") is None
    # A thread of it does not make it.
    storage.save_thread(thread())
    assert storage.get_resource_by_id("r") is None


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    given = resource(workingMemory="# Me", metadata={"a": 1}, updatedAt=at(1), plan="free")
    saved = storage.save_resource(given)
    assert storage.get_resource_by_id("r") == saved
    assert saved.to_dict() == given
    assert (saved.id, saved.working_memory, saved.metadata) == ("r", "# Me", {"a": 1})
    assert saved.extra == {"plan": "free"}


@pytest.mark.parametrize(
    "given",
    [
        {"id": "r", "workingMemory": "x", "createdAt": T0},
        {"id": "r", "working_memory": "x", "created_at": T0, "metadata": None},
        Resource(id="r", working_memory="x", created_at="2023-11-14T22:13:20.000Z"),  # type: ignore[arg-type]
    ],
    ids=["camelCase", "snake_case", "model"],
)
def test_every_form_of_a_resource_is_the_same(storage: ConvexStorage, given: Any) -> None:
    saved = storage.save_resource(resource=given)
    assert saved.to_dict() == resource(workingMemory="x", updatedAt=T0)
    assert storage.get_resource_by_id(resource_id="r") == saved


def test_saving_the_same_again_changes_nothing(storage: ConvexStorage) -> None:
    for form in (resource(workingMemory="x"), {"id": "s", "metadata": {}}):
        first = storage.save_resource(form)
        assert storage.save_resource(form) == first
        assert storage.save_resource(first) == first
        assert storage.get_resource_by_id(first.id) == first


def test_saving_replaces_all_but_the_time_of_creation(storage: ConvexStorage) -> None:
    first = storage.save_resource(resource(workingMemory="x", metadata={"a": 1}, plan="free"))
    second = storage.save_resource(resource(metadata={"b": 2}, createdAt=at(5)))
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    assert (second.working_memory, second.metadata, second.extra) == (None, {"b": 2}, {})


def test_update_changes_what_is_given(storage: ConvexStorage) -> None:
    first = storage.save_resource(resource(workingMemory="x", metadata={"a": {"x": 1}}, plan=1))
    second = storage.update_resource("r", working_memory="y")
    assert (second.working_memory, second.metadata) == ("y", {"a": {"x": 1}})
    third = storage.update_resource(resource_id="r", metadata={"a": {}, "b": [2]})
    assert (third.working_memory, third.metadata) == ("y", {"a": {}, "b": [2]})
    assert third.extra == {"plan": 1}
    assert third.created_at == first.created_at
    assert first.updated_at < second.updated_at < third.updated_at
    # The empty text counts; None does not.
    assert storage.update_resource("r", "").working_memory == ""
    assert storage.update_resource("r", None, None).working_memory == ""
    assert storage.get_resource_by_id("r") is not None


def test_an_update_moves_on_by_a_millisecond_at_least(storage: ConvexStorage) -> None:
    first = storage.save_resource(resource(updatedAt=now() + 60_000))
    second = storage.update_resource("r")
    assert second.updated_at - first.updated_at == timedelta(milliseconds=1)


def test_updating_a_missing_resource_makes_it(storage: ConvexStorage) -> None:
    before = now()
    made = storage.update_resource("r", working_memory="x")
    assert storage.get_resource_by_id("r") == made
    assert (made.working_memory, made.metadata) == ("x", {})
    assert made.created_at == made.updated_at
    assert before - 1 <= made.created_at.timestamp() * 1000 <= now() + 1
    assert storage.update_resource("s", metadata={"a": 1}).metadata == {"a": 1}
    assert storage.update_resource("u").working_memory is None


def test_resources_and_threads_leave_each_other_alone(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_resource(resource())
    storage.delete_thread("t")
    assert storage.get_resource_by_id("r") is not None
    storage.save_thread(thread())
    storage.clear_table("resources")
    assert storage.get_thread_by_id("t") is not None


def test_bad_resources_are_refused(storage: ConvexStorage) -> None:
    with pytest.raises(InvalidArgumentError, match="save_resource: resource: id is missing"):
        storage.save_resource({"workingMemory": "x"})
    with pytest.raises(InvalidArgumentError, match="get_resource_by_id: resource_id must be text"):
        storage.get_resource_by_id(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"update_resource: .*id must be text"):
        storage.update_resource(5, "x")  # type: ignore[arg-type]
    assert storage.get_resource_by_id("r") is None


@on_one_storage
@given(text=json_text | st.builds(json.dumps, json_values), metadata=json_objects)
def test_everything_is_kept_exactly(storage: ConvexStorage, text: str, metadata: Doc) -> None:
    storage.save_resource(resource(workingMemory=text, metadata=metadata))
    found = storage.get_resource_by_id("r")
    assert found is not None
    assert (found.working_memory, exactly(found.metadata, metadata)) == (text, True)
    again = storage.update_resource("r", working_memory=text, metadata=metadata)
    assert (again.working_memory, exactly(again.metadata, metadata)) == (text, True)

"""Public shapes: what a save takes and what a list returns."""

from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.validators import (
    arrivals,
    arrivals_args,
    list_args,
    message_fields,
    page,
    record,
    saved,
    thread_fields,
)
from mastra_convex.values.validators import v

THREAD = {"id": "t", "resourceId": "r", "createdAt": 1, "updatedAt": 2}
MESSAGE = {"id": "m", "threadId": "t", "role": "user", "content": '"x"'}


def test_a_record_has_its_times() -> None:
    record(thread_fields).validate(THREAD, "thread")
    for missing in THREAD:
        given = {name: value for name, value in THREAD.items() if name != missing}
        with pytest.raises(InvalidArgumentError, match=f"thread.{missing} must be given"):
            record(thread_fields).validate(given, "thread")


def test_a_save_may_leave_out_what_the_store_sets() -> None:
    saved(thread_fields).validate({"id": "t", "resourceId": "r"}, "thread")
    saved(thread_fields).validate(THREAD, "thread")
    saved(message_fields).validate(MESSAGE, "message")
    with pytest.raises(InvalidArgumentError, match=r"message\.seq must be left out"):
        saved(message_fields).validate({**MESSAGE, "seq": 1}, "message")
    with pytest.raises(InvalidArgumentError, match=r"thread\.resourceId must be given"):
        saved(thread_fields).validate({"id": "t"}, "thread")


@pytest.mark.parametrize(
    "given",
    [
        {"page": [], "cursor": None},
        {"page": [THREAD], "cursor": "x", "total": 5},
    ],
)
def test_a_page(given: dict[str, Any]) -> None:
    page(thread_fields).validate(given, "page")


@pytest.mark.parametrize(
    "given",
    [
        {"page": []},
        {"page": [{"id": "t"}], "cursor": None},
        {"page": [{**THREAD, "_id": 5}], "cursor": None},
        {"page": [], "cursor": None, "total": None},
        {"page": None, "cursor": None},
    ],
)
def test_not_a_page(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        page(thread_fields).validate(given, "page")


def test_arguments_of_lists() -> None:
    both = {"order": "asc", "limit": 5}
    v.object(list_args).validate(both, "args")
    v.object(list_args).validate(
        {**both, "from": 1.5, "to": 2, "cursor": "x", "withTotal": True}, "args"
    )
    for bad in ({"limit": 5}, {**both, "order": "ASC"}, {**both, "cursor": None}, {"order": "asc"}):
        with pytest.raises(InvalidArgumentError):
            v.object(list_args).validate(bad, "args")
    v.object(arrivals_args).validate({"limit": 5, "after": 3}, "args")
    arrivals(thread_fields).validate({"page": [THREAD], "position": 3, "isDone": True}, "reply")

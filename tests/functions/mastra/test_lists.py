"""Lists that the adapter wants whole: all of it, or an error that says so."""

from collections.abc import Iterator
from typing import Any

import pytest

from mastra_convex.errors import LimitExceededError
from mastra_convex.functions.mastra.lists import MAX_ROWS
from tests.functions.lib.inside import Inside, opened


@pytest.fixture
def inside() -> Iterator[Inside]:
    with opened() as each:
        each.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
        yield each


def save(inside: Inside, count: int, content: str = "1") -> None:
    message = {"threadId": "t", "resourceId": "r", "role": "user", "content": content}
    for start in range(0, count, 1000):
        numbers = range(start, min(start + 1000, count))
        messages = [{**message, "id": f"m{n}", "createdAt": n} for n in numbers]
        inside.mutation("messages:save", messages=messages)


def rows(inside: Inside, field: str, value: str, **more: Any) -> list[dict[str, Any]]:
    found = inside.mutation(
        "mastra/storage:handle",
        op="queryTable",
        tableName="mastra_messages",
        filters=[{"field": field, "value": value}],
        **more,
    )
    result: list[dict[str, Any]] = found["result"]
    return result


def test_a_long_list_is_whole_or_refused(inside: Inside) -> None:
    save(inside, MAX_ROWS + 1)
    for field, value in (("thread_id", "t"), ("resourceId", "r")):
        with pytest.raises(LimitExceededError, match="8000 records") as refused:
            rows(inside, field, value)
        assert refused.value.data == {"limit": MAX_ROWS}
        assert len(rows(inside, field, value, limit=3)) == 3
    inside.mutation("messages:remove", ids=[f"m{MAX_ROWS}"])
    for field, value in (("thread_id", "t"), ("resourceId", "r")):
        found = rows(inside, field, value)
        assert [each["id"] for each in found] == [f"m{n}" for n in range(MAX_ROWS)]


def test_a_long_thread_is_deleted_as_the_adapter_does_it(inside: Inside) -> None:
    save(inside, 2500)
    ids = [each["id"] for each in rows(inside, "thread_id", "t")]
    request = {"op": "deleteMany", "tableName": "mastra_messages", "ids": ids}
    assert inside.mutation("mastra/storage:handle", **request) == {"ok": True}
    assert rows(inside, "thread_id", "t") == []
    thread = inside(lambda ctx: ctx.db.find("threads", "by_key", "t"))
    assert thread["messageCount"] == 0


def test_large_rows_are_refused_too(inside: Inside) -> None:
    save(inside, 6, f'"{"x" * 1024 * 1024}"')
    assert len(rows(inside, "thread_id", "t")) == 6
    save(inside, 12, f'"{"x" * 1024 * 1024}"')
    with pytest.raises(LimitExceededError, match="more bytes"):
        rows(inside, "thread_id", "t")

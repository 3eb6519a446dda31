"""Fields of a record: paths, templates and times, as a conversion uses them."""

from __future__ import annotations

from typing import Any

import pytest

from mastra_convex.importers.openai_chat import (
    ConversationMapping,
    convert,
)
from mastra_convex.importers.reading import ImportSourceError
from tests.importers.chats import START, convert_messages


def test_fields_that_lie_in_one_another() -> None:
    record = {"info": {"traj": [], "reward": 1, "x": 2}}
    names = {"messages": "info.traj", "score": "info.reward", "metadata": "info"}
    mapping = ConversationMapping(**names, workflow="w")
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.thread["metadata"] == {}
    assert found.workflow_run is not None
    assert found.workflow_run["state"]["metadata"] == record["info"]
    mapping = ConversationMapping(**names)
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.thread["metadata"] == {"info": {"x": 2}}


@pytest.mark.parametrize("path", ["text.e", "list.0", "number.x", "object.x.y", "missing.x", ""])
def test_a_path_that_leads_nowhere_is_a_field_that_is_not_there(path: str) -> None:
    record = {"messages": [], "text": "test", "list": [1], "number": 5, "object": {"x": None}}
    mapping = ConversationMapping(score=path)
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.evaluation is None
    mapping = ConversationMapping(messages=path)
    with pytest.raises(ImportSourceError, match="no field"):
        convert(record, index=0, mapping=mapping, created_at=START)


def test_a_name_with_a_dot_is_taken_literally_where_the_record_has_it() -> None:
    record = {"a.b": [{"role": "user", "content": "x"}], "a": {"b": 5}}
    mapping = ConversationMapping(messages="a.b")
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert len(found.messages) == 1
    assert found.thread["metadata"] == {"a": {"b": 5}}


NO_TIMES: list[Any] = [
    *(None, True, 0, -5, [], {}, 1e300, float("inf"), float("nan"), 10**30),
    *("", "yesterday", "2024-13-01", "2024-05-15T25:00", "9" * 5000, "0001-01-01T00:00+14:00"),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_715_785_200, 1_715_785_200_000),
        (1_715_785_200.1234, 1_715_785_200_123),
        (1_715_785_200_123, 1_715_785_200_123),
        ("1715785200", 1_715_785_200_000),
        ("2024-05-15T15:00:00Z", 1_715_785_200_000),
        ("2024-05-15t15:00:00.1234567z", 1_715_785_200_123),
        ("2024-05-15 15:00", 1_715_785_200_000),
        ("2024-05-15T10:00:00.5-05:00", 1_715_785_200_500),
        ("2024-05-15T10:00:00 -0500", 1_715_785_200_000),
        ("2024-05-15T17:00:00+02", 1_715_785_200_000),
        ("2024-05-15T20:30:07+05:30", 1_715_785_207_000),
        (" 2024-05-15 ", 1_715_731_200_000),
        *((odd, START) for odd in NO_TIMES),
    ],
)
def test_the_time_of_a_record(value: Any, expected: int) -> None:
    for name in ("created", "created_at", "timestamp"):
        found = convert_messages([{"role": "user", "content": "a"}] * 3, **{name: value})
        assert found.thread["createdAt"] == expected
        assert [one["createdAt"] for one in found.messages] == [
            expected,
            expected + 1,
            expected + 2,
        ]
        assert name in found.thread["metadata"]


def test_a_time_that_is_none_leaves_the_word_to_the_next_field() -> None:
    found = convert_messages([], created="once", timestamp="2024-05-15")
    assert found.thread["createdAt"] == 1_715_731_200_000


def rendered(template: str, record: dict[str, Any]) -> str:
    mapping = ConversationMapping(id=template)
    record = {"messages": [], **record}
    return str(convert(record, index=2, mapping=mapping, created_at=START).thread["id"])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{n}", "5"),
        ("run-{n}-{f}-{yes}", "run-5-0.0-true"),
        ("{{{n}}}", "{5}"),
        ("{info[task][user]}", "ann"),
        ("{info[tags][1]}", "b"),
        ("{info[0]}", "zero"),
        ("{info[a.b]}", "dotted"),
        ("{odd name}", "x"),
        ("fixed", "fixed"),
        (" {n} ", "5"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    info = {"task": {"user": "ann"}, "tags": ["a", "b"], "0": "zero", "a.b": "dotted"}
    record = {"n": 5, "f": 0.0, "yes": True, "odd name": "x", "info": info}
    assert rendered(template, record) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{}", "{0}", "{n.real}", "{info.__class__}", "{n!r}", "{n:>10}", "{n:{n}}", "{n", "n}",
        "{n[}", "{n[]}", "{n[a]b}", "{[a]}", "{.a}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["id", "resource", "title"])
def test_templates_that_are_refused_before_any_record(template: str, option: str) -> None:
    with pytest.raises(ImportSourceError, match="template") as caught:
        ConversationMapping(**{option: template})
    assert repr(template) in str(caught.value)
    assert caught.value.record is None


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{missing}", "'missing', which is not there"),
        ("{info[missing]}", "'missing', which is not there"),
        ("{n[0]}", "'0', which is not there"),
        ("{info[tags][9]}", "'9', which is not there"),
        ("{info[tags][x]}", "'x', which is not there"),
        ("{info}", "'info' is an object"),
        ("{info[tags]}", "'tags' is a list"),
        ("{none}", "'none' is null"),
        ("{blank}", "empty text"),
    ],
)
def test_templates_that_a_record_cannot_fill(template: str, problem: str) -> None:
    record = {"n": 5, "none": None, "blank": " ", "info": {"tags": ["a"]}}
    with pytest.raises(ImportSourceError, match="record 3: ") as caught:
        rendered(template, record)
    assert problem in str(caught.value)
    assert repr(template) in str(caught.value)


def test_the_templates_of_resource_and_title() -> None:
    mapping = ConversationMapping(resource="{who}", title="Run {id}")
    record = {"messages": [], "who": "ann", "id": 9}
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert (found.thread["resourceId"], found.thread["title"]) == ("ann", "Run 9")

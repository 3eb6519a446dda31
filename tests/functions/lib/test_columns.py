"""Rows of @mastra/convex as our records and back; scenarios/mastra.json has what they do."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib import columns
from mastra_convex.functions.lib.columns import Rows, iso, milliseconds

ROWS = [each for each in vars(columns).values() if isinstance(each, Rows)]
# JSON as Convex has it, whose numbers are whole where they look so.
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b_c", "d e"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: rows.table)
def test_every_field_of_a_record_is_a_column(rows: Rows) -> None:
    fields = {ours for ours, _ in rows.columns.values()}
    known = set(rows._saved.fields) - {"extra"}  # type: ignore[attr-defined]
    # The store alone has these: the adapter looks into the snapshot, and has no time of a trigger.
    alone = {"workflowRuns": {"stateType", "error"}, "scheduleTriggers": {"createdAt"}}
    assert known - fields == alone.get(rows.table, set())
    assert fields <= known


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_come_back(time: int) -> None:
    assert milliseconds(iso(time)) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("1970-01-01T01:00:00.001+01:00", 1),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_a_time_is_read(text: str, time: float) -> None:
    assert milliseconds(text) == time


@pytest.mark.parametrize(
    "wrong", ["", "yesterday", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", 5, None]
)
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="ISO 8601"):
        milliseconds(wrong)


@settings(max_examples=40)
@given(values, values)
def test_a_score_comes_back(known: Any, unknown: Any) -> None:
    row = {
        "id": "s",
        "scorerId": "a",
        "entityId": "e",
        "runId": "r",
        "source": "LIVE",
        "score": 1,
        "scorer": {},
        "entity": {},
        "output": 1,
        "input": {"x": known},
        "createdAt": "1970-01-01T00:00:00.005Z",
        "updatedAt": "1970-01-01T00:00:00.005Z",
        "unknown": [unknown],
    }
    assert columns.SCORES.row(columns.SCORES.record(row)) == row


def test_what_convex_cannot_say_stays_text() -> None:
    thread = {"id": "t", "resourceId": "r", "extra": '{"$a":1,"b":2,"c":{"é":1}}'}
    row = columns.THREADS.row(thread)
    assert row == {"id": "t", "resourceId": "r", "b": 2, "extra": '{"$a":1,"c":{"é":1}}'}
    kept = columns.THREADS.record(row)["extra"]
    assert kept == '{"$a":1,"c":{"é":1},"b":2}'
    score = {"metadata": '{"$schema":1}', "input": '{"a":1}'}
    assert columns.SCORES.row(score) == {"metadata": '{"$schema":1}', "input": {"a": 1}}


@pytest.mark.parametrize("chunks", ["{}", "5", '["x"]', "["])
def test_chunks_are_a_list_of_rows(chunks: str) -> None:
    with pytest.raises(InvalidArgumentError):
        columns.chunks_of_row({"bufferedObservationChunks": chunks})

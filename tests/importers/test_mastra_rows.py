"""Rows of `@mastra/convex` as records."""

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.importers.mastra_rows import LEFT, TABLES, record_of
from tests.importers.snapshots import T0, everything, message, thread


def test_every_table_of_the_adapter_is_known() -> None:
    rows = everything()
    assert {*TABLES} <= rows.keys()
    assert not {*TABLES} & {*LEFT}
    for table in TABLES:
        record = record_of(table, rows[table][0])
        assert "extra" not in record, record


def test_times_and_payloads() -> None:
    record = record_of("mastra_threads", thread(1))
    assert (record["createdAt"], record["updatedAt"]) == (T0 + 1000, T0 + 61_000)
    assert record["metadata"] == '{"$n": 1}'
    assert record_of("mastra_messages", message(1, 2))["threadId"] == "t2"


def test_what_a_table_has_not_is_kept() -> None:
    record = record_of("mastra_threads", {**thread(1), "mood": {"x": 1.0}})
    assert record["extra"] == '{"mood":{"x":1}}'


def test_a_run_has_its_status_and_a_schedule_no_workflow_of_its_own() -> None:
    rows = everything()
    run = record_of("mastra_workflow_snapshot", rows["mastra_workflow_snapshot"][0])
    assert (run["id"], run["workflowName"], run["stateType"]) == ("run-1", "flow", "suspended")
    assert "workflowId" not in record_of("mastra_schedules", rows["mastra_schedules"][0])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**thread(1), "createdAt": "yesterday"}, "a time is ISO 8601 text"),
        ({**thread(1), "resourceId": None}, "resourceId"),
        ({**thread(1), "id": {"$bytes": "AA=="}}, "id"),
        ({**thread(1), "metadata": "{"}, "payload"),
        ({**thread(1), "$x": 1}, "x"),
    ],
)
def test_a_row_that_is_wrong(row: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=said):
        record_of("mastra_threads", row)

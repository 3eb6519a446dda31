"""The models: their fields, and how Mastra's other shapes become theirs."""

import dataclasses
import inspect
from typing import Any

import pytest

from mastra_convex import models
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.schema import schema
from mastra_convex.models import (
    Eval,
    EvalPage,
    Message,
    MessagePage,
    ObservationalMemory,
    ObservationChunk,
    Record,
    Resource,
    TableStatistics,
    Thread,
    ThreadPage,
    Trace,
    TracePage,
    WorkflowRun,
    WorkflowRunPage,
)

MODELS = {
    Thread: "threads",
    Message: "messages",
    Resource: "resources",
    Trace: "traces",
    Eval: "evals",
    WorkflowRun: "workflowRuns",
    ObservationalMemory: "observationalMemory",
    ObservationChunk: "observationChunks",
}
INSIDE = {"messageCount", "lastSeq", "recordId", "spansAt"}
# In tables of their own.
APART = {"bufferedObservationChunks"}
# A ready record is given with its times.
GIVEN: dict[type[Record], set[str]] = {ObservationalMemory: {"createdAt", "updatedAt"}}


def test_every_model_is_public() -> None:
    found = {
        each
        for each in vars(models).values()
        if inspect.isclass(each) and issubclass(each, Record) and each is not Record
    }
    assert found == MODELS.keys()
    assert {each.__name__ for each in found} <= set(models.__all__)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_the_fields_of_its_table(model: type[Record]) -> None:
    table = schema.tables[MODELS[model]]
    names = {
        field.wire_name: field.default for field in model.fields if field.wire_name not in APART
    }
    assert {*names, "extra"} == table.fields.keys() - INSIDE
    # What a document may lack, a model may lack; the store sets the rest.
    required = {name for name, default in names.items() if default is not None}
    set_by_store = {"createdAt", "updatedAt", "timestamp", "seq"} - GIVEN.get(model, set())
    expected = {name for name, field in table.fields.items() if not field.optional}
    assert required == expected - set_by_store - INSIDE


def test_a_message_leaves_its_number_to_the_store() -> None:
    given = {"id": "m", "threadId": "t", "role": "user", "content": "x", "seq": 5}
    assert "seq" not in Message.encode(given)
    read = Message.of({**Message.encode(given), "seq": 5.0})
    assert read.seq == 5
    assert Message.encode(read) == Message.encode(given)
    assert Message.encode(read.to_dict()) == Message.encode(given)
    assert Message(id="m", thread_id="t", role="user", content="x", seq=5).seq is None


@pytest.mark.parametrize(
    ("given", "role", "type"),
    [
        ({"role": "user"}, "user", None),
        ({"type": "user"}, "user", "user"),
        ({"type": "assistant", "role": None}, "assistant", "assistant"),
        ({"type": "v2", "role": "tool"}, "tool", "v2"),
        ({"type": "user", "role": "assistant"}, "assistant", "user"),
    ],
)
def test_the_role_of_a_message(given: dict[str, Any], role: str, type: str | None) -> None:
    message = Message.of(Message.encode({"id": "m", "threadId": "t", "content": "x", **given}))
    assert (message.role, message.type) == (role, type)


def test_a_message_needs_a_role() -> None:
    for given in ({}, {"type": "text"}, {"type": "v2", "role": ""}):
        with pytest.raises(InvalidArgumentError, match="message 'm': role is missing or empty"):
            Message.encode({"id": "m", "threadId": "t", "content": "x", **given})


def test_content_may_be_anything_but_nothing() -> None:
    contents: list[Any] = ["", [], {}, 0, False]
    for content in contents:
        given = {"id": "m", "threadId": "t", "role": "user", "content": content}
        assert Message.of(Message.encode(given)).content == content
    with pytest.raises(InvalidArgumentError, match="message 'm': content is missing"):
        Message.encode({"id": "m", "threadId": "t", "role": "user", "content": None})


METRIC: dict[str, Any] = {"agentName": "a", "metricName": "m", "output": "x"}


@pytest.mark.parametrize(
    ("given", "type"),
    [
        ({}, "live"),
        ({"testInfo": None}, "live"),
        ({"testInfo": {}}, "live"),
        ({"testInfo": {"testName": "t"}}, "live"),
        ({"testInfo": {"testPath": "p"}}, "test"),
        ({"test_info": {"test_path": "p"}}, "test"),
        ({"testInfo": {"testPath": "p"}, "type": "live"}, "live"),
        ({"testInfo": "p"}, "live"),
    ],
)
def test_the_type_of_a_metric(given: dict[str, Any], type: str) -> None:
    assert Eval.encode({**METRIC, **given})["type"] == type


def test_the_id_of_a_metric_is_made_of_its_content() -> None:
    one = Eval.encode(METRIC)["id"]
    assert one.startswith("eval-")
    assert len(one) == len("eval-") + 32
    assert Eval.encode(dict(reversed(METRIC.items())))["id"] == one
    snake = {"agent_name": "a", "metric_name": "m", "output": "x"}
    assert Eval.encode(snake)["id"] == one
    assert Eval.encode({**METRIC, "output": "y"})["id"] != one
    assert Eval.encode({**METRIC, "own": 1})["id"] != one
    assert Eval.encode({**METRIC, "id": "own"})["id"] == "own"
    # It stays the same in every version: it is in the files of users.
    assert one == "eval-33a4042dec75beddaa684c356c1c38c0"


def test_other_evals_need_an_id_and_a_type() -> None:
    for missing in ("id", "type", "agentName"):
        given = {"id": "e", "type": "live", "agentName": "a"}
        del given[missing]
        with pytest.raises(InvalidArgumentError, match=f"{missing} is missing"):
            Eval.encode(given)


@pytest.mark.parametrize(
    ("given", "state", "state_type"),
    [
        ({"state": {"status": "running"}}, {"status": "running"}, "running"),
        ({"snapshot": {"status": "running"}}, {"status": "running"}, "running"),
        ({"snapshot": {"status": 5}}, {"status": 5}, None),
        ({"snapshot": '{"status":"running"}'}, '{"status":"running"}', None),
        ({"state": {"status": "a"}, "stateType": "b"}, {"status": "a"}, "b"),
        ({"state": {"status": "a"}, "state_type": "b"}, {"status": "a"}, "b"),
        ({"state": {"status": "a"}, "status": "b"}, {"status": "a"}, "b"),
        ({"status": "b", "stateType": None}, None, "b"),
        ({}, None, None),
    ],
)
def test_the_state_of_a_run(given: dict[str, Any], state: Any, state_type: str | None) -> None:
    run = WorkflowRun.of(WorkflowRun.encode({"runId": "w", "workflowName": "f", **given}))
    assert (run.state, run.snapshot) == (state, state)
    assert (run.state_type, run.status) == (state_type, state_type)
    assert (run.id, run.run_id, run.extra) == ("w", "w", {})
    assert WorkflowRun.of(WorkflowRun.encode(run.to_dict())) == run


def test_two_names_must_agree() -> None:
    given = {"id": "w", "workflowName": "f"}
    for name, other in (("runId", "x"), ("run_id", "x")):
        with pytest.raises(InvalidArgumentError, match=f"run 'w': {name} and id differ; give one"):
            WorkflowRun.encode({**given, name: other})
        assert WorkflowRun.encode({**given, name: None}) == WorkflowRun.encode(given)
        assert WorkflowRun.encode({**given, name: "w"}) == WorkflowRun.encode(given)


def test_pages_and_statistics_are_plain_and_frozen() -> None:
    for page, records in (
        (ThreadPage, "threads"),
        (MessagePage, "messages"),
        (TracePage, "traces"),
        (EvalPage, "evals"),
        (WorkflowRunPage, "runs"),
    ):
        names = [field.name for field in dataclasses.fields(page)]
        assert names == ["total", "page", "per_page", "has_more", records]
        made = page(total=1, page=0, per_page=False, has_more=False, **{records: []})
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.total = 2  # type: ignore[misc]
    assert TableStatistics("threads", 1, 2) == TableStatistics(table="threads", records=1, bytes=2)

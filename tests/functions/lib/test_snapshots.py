"""Merging into snapshots: the rules are scenarios; here, that no merge loses or takes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.errors import ConflictError, InvalidArgumentError, InvalidPayloadError
from mastra_convex.functions.lib.snapshots import (
    empty_snapshot,
    status_of,
    with_state,
    with_step_result,
)
from mastra_convex.values.payload import decode_payload, encode_payload
from tests.contract.records import json_text

MARKER = {"__mastra_pending__": True}
slots = st.none() | st.just(MARKER) | st.integers() | st.just({"status": "suspended"})


def run(state: Any) -> dict[str, Any]:
    """A run with this snapshot."""
    return {"id": "w", "workflowName": "f", "state": encode_payload(state)}


# Large values would tell no more, and take their time.
leaves = json_text | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
maps = st.dictionaries(st.sampled_from(["a", "$b", "é", '"']), leaves, max_size=3)


@settings(max_examples=40)
@given(maps, maps, json_text, leaves | maps, maps, maps)
def test_a_result_changes_its_step_and_nothing_else(
    rest: Any, context: Any, step: str, result: Any, before: Any, asked: Any
) -> None:
    state = {**rest, "context": {**context, step: 0}, "requestContext": before}
    merged, told = with_step_result(run(state), step, encode_payload(result), encode_payload(asked))
    expected = {**state, "context": {**context, step: result}}
    expected["requestContext"] = {**before, **asked}
    assert decode_payload(merged) == expected
    assert decode_payload(told) == expected["context"]


@given(st.lists(slots), st.lists(slots))
def test_neither_null_nor_marker_takes_a_finished_slot_back(old: list[Any], new: list[Any]) -> None:
    before = run({"context": {"s": {"output": old, "status": "running"}}})
    _, context = with_step_result(before, "s", json.dumps({"output": new}), "{}")
    after = decode_payload(context)["s"]["output"]
    assert len(after) == max(len(old), len(new))
    for at, slot in enumerate(old):
        given = new[at] if at < len(new) else None
        if isinstance(slot, int) and (given in (None, MARKER) or MARKER in new):
            assert after[at] == slot


@settings(max_examples=20)
@given(st.permutations(range(20)))
def test_results_of_a_foreach_are_all_there_in_any_order(order: list[int]) -> None:
    state = run({"context": {"s": {"output": []}}})
    for at in order:
        output = [None] * 20
        output[at] = at  # type: ignore[call-overload]
        merged, _ = with_step_result(state, "s", json.dumps({"output": output}), "{}")
        state = {**state, "state": merged}
    assert decode_payload(state["state"])["context"]["s"]["output"] == list(range(20))


@settings(max_examples=40)
@given(maps, maps)
def test_a_state_is_laid_over(before: Any, change: Any) -> None:
    before = {**before, "context": {}}
    merged = with_state(run(before), encode_payload(change), None)
    assert merged is not None
    assert decode_payload(merged) == {**before, **change}


def test_an_empty_snapshot_takes_a_result() -> None:
    state = {"id": "w", "workflowName": "f", "state": empty_snapshot("w", 5.0)}
    assert status_of(state["state"]) == {"stateType": "pending"}
    merged, _ = with_step_result(state, "a", "1", "{}")
    assert decode_payload(merged)["context"] == {"a": 1}
    assert decode_payload(merged)["timestamp"] == 5


@pytest.mark.parametrize("state", [None, 1, "{}", [], {}, {"context": None}, {"context": []}])
def test_a_snapshot_without_context_takes_nothing(state: Any) -> None:
    with pytest.raises(ConflictError, match="run 'w' of workflow 'f' has no context"):
        with_step_result(run(state), "a", "1", "{}")
    with pytest.raises(ConflictError, match="persist a snapshot"):
        with_state(run(state), "{}", None)


def test_what_cannot_be_read_is_refused() -> None:
    state = run({"context": {}})
    for text in ("1", "[]"):
        with pytest.raises(InvalidArgumentError, match="is a map"):
            with_state(state, text, None)
        with pytest.raises(InvalidArgumentError, match="is a map"):
            with_step_result(state, "a", "1", text)
    with pytest.raises(InvalidArgumentError, match="no JSON text"):
        with_step_result(state, "a", "{", "{}")
    with pytest.raises(InvalidPayloadError):
        with_step_result(state, "a", "1e999", "{}")

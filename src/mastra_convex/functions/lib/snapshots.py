"""Merging into the snapshot of a workflow run, as the workflow engine relies on it (interface, 4).

A snapshot is JSON text here as everywhere. A run that has none begins with an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra_convex.errors import ConflictError, InvalidArgumentError
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.values.payload import encode_payload

Snapshot = dict[str, Any]

# What stands in the output of a `foreach` for an iteration that is to run again.
_PENDING = "__mastra_pending__"


def with_step_result(run: Doc, step_id: str, result: str, request_context: str) -> tuple[str, str]:
    """The snapshot of `run` with a step's result merged in, and its `context` alone."""
    snapshot = _snapshot_of(run)
    context = snapshot["context"]
    context[step_id] = _merged_result(context.get(step_id), decoded(result))
    asked = decoded(request_context)
    if not isinstance(asked, dict):
        raise InvalidArgumentError("a request context is a map", path="requestContext")
    snapshot["requestContext"] = {**(snapshot.get("requestContext") or {}), **asked}
    return encode_payload(snapshot), encode_payload(context)


def with_state(run: Doc, state: str, expected: Sequence[str] | None) -> str | None:
    """The snapshot of `run` with `state` laid over it; None if its status is not expected."""
    snapshot = _snapshot_of(run)
    if expected is not None and snapshot.get("status") not in expected:
        return None
    change = decoded(state)
    if not isinstance(change, dict):
        raise InvalidArgumentError("the state of a run is a map", path="state")
    return encode_payload({**snapshot, **change})


def status_of(text: str) -> dict[str, str]:
    """The status in a snapshot or a state, as the field that a run has for it."""
    found = decoded(text)
    status = found.get("status") if isinstance(found, dict) else None
    return {"stateType": status} if isinstance(status, str) else {}


def empty_snapshot(run_id: str, timestamp: float) -> str:
    """The snapshot of a run that has not begun."""
    return encode_payload(
        {
            "context": {},
            "activePaths": [],
            "activeStepsPath": {},
            "timestamp": int(timestamp),
            "suspendedPaths": {},
            "resumeLabels": {},
            "serializedStepGraph": [],
            "value": {},
            "waitingPaths": {},
            "status": "pending",
            "runId": run_id,
        }
    )


def _snapshot_of(run: Doc) -> Snapshot:
    snapshot = decoded(run["state"])
    if not isinstance(snapshot, dict) or not isinstance(snapshot.get("context"), dict):
        raise ConflictError(
            f"the snapshot of run {run['id']!r} of workflow {run['workflowName']!r} has no "
            "context to merge into; persist a snapshot of Mastra's first",
            table="workflowRuns",
            id=run["id"],
        )
    return snapshot


def _merged_result(before: Any, result: Any) -> Any:
    """A step's result after another: slots of a `foreach` are merged, all else is replaced."""
    if not (_has_slots(before) and _has_slots(result)):
        return result
    old, new = before["output"], result["output"]
    pending = any(map(_is_pending, new))
    slots = []
    for at in range(max(len(old), len(new))):
        kept = old[at] if at < len(old) else None
        given = new[at] if at < len(new) else None
        if _is_pending(given):
            slots.append(None if _may_run_again(kept) else kept)
        else:
            slots.append(kept if given is None or pending else given)
    return {**before, **({} if pending else result), "output": slots}


def _has_slots(result: Any) -> bool:
    return isinstance(result, Mapping) and isinstance(result.get("output"), list)


def _is_pending(slot: Any) -> bool:
    return isinstance(slot, dict) and len(slot) == 1 and slot.get(_PENDING) is True


def _may_run_again(slot: Any) -> bool:
    """Whether a slot is open: what has finished is never taken back."""
    if slot is None or _is_pending(slot):
        return True
    suspended = isinstance(slot, dict) and slot.get("status") == "suspended"
    return suspended and ("suspendPayload" in slot or "suspendedAt" in slot)

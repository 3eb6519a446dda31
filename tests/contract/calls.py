"""Wrong and right calls of the operations on workflows, for the tests of errors."""

from typing import Any

from mastra_convex import (
    ConflictError,
    ConvexStorage,
    ConvexStorageError,
    InvalidArgumentError,
    InvalidPayloadError,
)


def merge(s: ConvexStorage, result: Any, request_context: Any = None) -> Any:
    """Merge a step's result into run "w" of workflow "flow"."""
    return s.update_workflow_results("flow", "w", "step", result, request_context)


WRONG: dict[str, tuple[Any, type[ConvexStorageError], list[str]]] = {
    "persist_workflow_snapshot": (
        lambda s: s.persist_workflow_snapshot("flow", "w", "[1]"),
        InvalidArgumentError,
        ["workflow run 'w'", "a snapshot is a mapping, or the JSON text of one", "'[1]'"],
    ),
    "load_workflow_snapshot": (
        lambda s: s.load_workflow_snapshot(None, "w"),
        InvalidArgumentError,
        ["workflow_name must be text, not None"],
    ),
    "update_workflow_results": (
        lambda s: merge(s, {"output": {1}}),
        InvalidPayloadError,
        ["workflow run 'w': result of step 'step'.output is of type set"],
    ),
    "update_workflow_state": (
        lambda s: s.update_workflow_state("flow", "w", {"result": 1}),
        InvalidArgumentError,
        ["workflow run 'w'", "a mapping with a status"],
    ),
    "claim_workflow_run": (
        lambda s: s.claim_workflow_run("flow", "no"),
        ConflictError,
        ["run 'no' of workflow 'flow'", "not 'suspended', or not there"],
    ),
    "delete_workflow_run_by_id": (
        lambda s: s.delete_workflow_run_by_id("w", 5),
        InvalidArgumentError,
        ["workflowName must be text, not int 5"],
    ),
}

RIGHT: dict[str, Any] = {
    "persist_workflow_snapshot": lambda s: s.persist_workflow_snapshot("flow", "w", {}),
    "load_workflow_snapshot": lambda s: s.load_workflow_snapshot("flow", "w"),
    "update_workflow_results": lambda s: merge(s, 1),
    "update_workflow_state": lambda s: s.update_workflow_state("flow", "w", {"status": "x"}),
    "claim_workflow_run": lambda s: s.claim_workflow_run("flow", "w"),
    "delete_workflow_run_by_id": lambda s: s.delete_workflow_run_by_id("w", "flow"),
}

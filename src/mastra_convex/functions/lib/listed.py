"""What the lists of traces and of branches have of a span, kept in the transaction that changes it.

A trace is listed when it has a root, a branch for each span of certain types. The documents have
what lists are narrowed and ordered by; the rest a list reads from the span's row.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.records import by_key, insert, patch, remove, replace

# Where what still runs stands in the order of ends: the latest time that JavaScript has.
RUNNING = 8_640_000_000_000_000.0

# The spans that a user looks for, wherever in a trace they are; not the steps inside of them.
_ANCHORS = frozenset(
    {
        "agent_run",
        "workflow_run",
        "processor_run",
        "scorer_run",
        "rag_ingestion",
        "tool_call",
        "mcp_tool_call",
        "mcp_server_request",
        "provider_tool_call",
    }
)
_CRITERIA = ("resourceId", "threadId", "runId", "entityId")


def keep_branch(ctx: MutationCtx, before: Doc | None, after: Doc) -> None:
    """Keep the branch that a span anchors, if it does; `before` is what its row was."""
    old = _branch(before)
    branch = _branch(after)
    if old != branch:
        row = old and by_key(ctx, "traceBranches", after["trace"], after["spanId"])
        _put(ctx, "traceBranches", row, branch)


def keep_root(ctx: MutationCtx, row: Doc | None, root: Doc | None, failed: bool) -> None:
    """Keep the row of a trace with this root, or with none; `row` is what it was."""
    document = root and {**_listed(root, (*_CRITERIA, "messageId")), "failed": failed}
    _put(ctx, "traceRoots", row, document)


def keep_failed(ctx: MutationCtx, trace: str, failed: bool) -> None:
    """Keep whether any span of a trace has an error."""
    row = by_key(ctx, "traceRoots", trace)
    if row is not None:
        patch(ctx, "traceRoots", row, {"failed": failed})


def _status(span: Doc) -> str:
    """How a span stands: an error counts whether it has ended or not."""
    if "error" in span:
        return "error"
    return "success" if "endedAt" in span else "running"


def _listed(span: Doc, criteria: tuple[str, ...]) -> Doc:
    return {
        "trace": span["trace"],
        "spanId": span["spanId"],
        "startedAt": span["startedAt"],
        "endsAt": span.get("endedAt", RUNNING),
        "status": _status(span),
        **{name: span[name] for name in criteria if name in span},
    }


def _branch(span: Doc | None) -> Doc | None:
    anchors = span is not None and span["spanType"] in _ANCHORS
    return _listed(span, _CRITERIA) if span is not None and anchors else None


def _put(ctx: MutationCtx, table: str, row: Doc | None, document: Doc | None) -> None:
    if document is None:
        if row is not None:
            remove(ctx, table, row)
    elif row is None:
        insert(ctx, table, document)
    else:
        replace(ctx, table, row, document)

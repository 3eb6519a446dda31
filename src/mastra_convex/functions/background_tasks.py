"""Background tasks: tool calls that go on after the agent that made them has answered."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import ConflictError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    principal_of,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.lib.paging import list_by, nothing
from mastra_convex.functions.lib.records import by_key, changed, insert, public, replace
from mastra_convex.functions.lib.records import remove as remove_record
from mastra_convex.functions.validators import (
    background_task_fields,
    list_args,
    nullable,
    page,
    payload,
    record,
    saved,
    time,
)
from mastra_convex.values.validators import v

_status = background_task_fields["status"]

_INDEXES = {
    "by_tool_call": ("toolCallId",),
    "by_run": ("runId",),
    "by_thread": ("threadId",),
    "by_resource": ("resourceId",),
    "by_agent_status": ("agentId", "status"),
    "by_agent": ("agentId",),
    "by_tool": ("toolName",),
    "by_status": ("status",),
    "by_created": (),
}
_OWN = {"by_resource": ("resourceId",)}
_ALSO = tuple(name for names in _INDEXES.values() for name in names)


@storage_query(args={"id": v.string()}, returns=v.union(record(background_task_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The task, or null."""
    task = by_key(ctx, "backgroundTasks", args["id"])
    return public(task) if task and owns(ctx, task.get("resourceId")) else None


@storage_query(
    args={
        "toolCallId": v.optional(v.string()),
        "runId": v.optional(v.string()),
        "threadId": v.optional(v.string()),
        "resourceId": v.optional(v.string()),
        "agentId": v.optional(v.string()),
        "toolName": v.optional(v.string()),
        "status": v.optional(_status),
        **list_args,
    },
    returns=page(background_task_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of tasks by `createdAt`, that meet all of the criteria given."""
    own = principal_of(ctx).resource_id
    if own is None:
        return list_by(ctx, "backgroundTasks", _INDEXES, args)
    args = {"resourceId": own, **args}
    if args["resourceId"] != own:
        return nothing(args)
    return list_by(ctx, "backgroundTasks", _OWN, args, _ALSO)


@storage_query(args={"status": _status, "agentId": v.optional(v.string())}, returns=v.number())
def count(ctx: QueryCtx, args: Args) -> float:
    """How many tasks have the status, of all agents or of one."""
    require_service(ctx, "counting background tasks")
    if "agentId" in args:
        values = (args["agentId"], args["status"])
        return counters.total(ctx, "backgroundTasks", "by_agent_status", values) or 0
    return counters.total(ctx, "backgroundTasks", "by_status", (args["status"],)) or 0


@storage_mutation(
    args={"task": saved(background_task_fields)}, returns=record(background_task_fields)
)
def create(ctx: MutationCtx, args: Args) -> Doc:
    """Add a task. The same one again is fine, another one of its id is a conflict."""
    require_service(ctx, "creating a background task")
    task = args["task"]
    before = by_key(ctx, "backgroundTasks", task["id"])
    if before is None:
        return public(insert(ctx, "backgroundTasks", {"createdAt": ctx.now, **task}))
    if public(before) != {"createdAt": before["createdAt"], **task}:
        raise ConflictError(
            f"task {task['id']!r} exists already; update it, or choose another id",
            table="backgroundTasks",
            id=task["id"],
        )
    return public(before)


_update_fields = {
    "status": v.optional(_status),
    "result": nullable(payload()),
    "error": nullable(payload()),
    "suspendPayload": nullable(payload()),
    "startedAt": nullable(time()),
    "suspendedAt": nullable(time()),
    "completedAt": nullable(time()),
    "retryCount": v.optional(v.number()),
    "maxRetries": v.optional(v.number()),
    "timeoutMs": v.optional(v.number()),
}


@storage_mutation(
    args={
        "id": v.string(),
        "update": v.object(_update_fields),
        "expectedStatus": v.optional(_status),
    },
    returns=v.boolean(),
)
def update(ctx: MutationCtx, args: Args) -> bool:
    """Change a task, if it has the expected status. Null takes a field away.

    False, and nothing is written, if there is no such task or it has another status.
    """
    require_service(ctx, "updating a background task")
    before = by_key(ctx, "backgroundTasks", args["id"])
    if before is None or args.get("expectedStatus", before["status"]) != before["status"]:
        return False
    replace(ctx, "backgroundTasks", before, changed(public(before), args["update"]))
    return True


@storage_mutation(
    args={"tasks": v.array(v.object({"id": v.string(), "status": v.optional(_status)}))},
    returns=v.null(),
)
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete tasks; one that is given with a status, only if it still has it."""
    require_service(ctx, "deleting background tasks")
    check_batch(len(args["tasks"]), "tasks")
    for each in args["tasks"]:
        task = by_key(ctx, "backgroundTasks", each["id"])
        if task is not None and each.get("status", task["status"]) == task["status"]:
            remove_record(ctx, "backgroundTasks", task)

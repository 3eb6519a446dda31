"""Operations on workflow runs and schedules that are one transaction each."""

from __future__ import annotations

import math

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions import schedules, workflow_runs
from mastra_convex.functions.lib import columns
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.functions.mastra.lists import every
from mastra_convex.functions.mastra.requests import Operation, done, found, operation, whole
from mastra_convex.functions.mastra.tables import TABLES
from mastra_convex.values.payload import encode_payload
from mastra_convex.values.validators import v

# What the adapter means by no limit.
_DEFAULT_LIMIT = 100
_run = {"workflowName": v.string(), "runId": v.string()}


@operation({**_run, "stepId": v.string(), "result": v.string(), "requestContext": v.string()})
def merge_result(ctx: MutationCtx, args: Args) -> Doc:
    """Merge the result of a step; gives the context as JSON text."""
    given = {name: args[name] for name in ("workflowName", "stepId", "result", "requestContext")}
    return found(workflow_runs.update_results.handler(ctx, {**given, "id": args["runId"]}))


@operation({**_run, "opts": v.string()})
def merge_state(ctx: MutationCtx, args: Args) -> Doc:
    """Lay a state over the snapshot; gives the snapshot as JSON text, or that of null."""
    state = decoded(args["opts"])
    if not isinstance(state, dict):
        raise InvalidArgumentError("the state of a run is a map", path="opts")
    expected = state.pop("expectedStatus", None)
    given = {"id": args["runId"], "workflowName": args["workflowName"]}
    given["state"] = encode_payload(state)
    if expected is not None:
        statuses = [expected] if isinstance(expected, str) else expected
        v.array(v.string()).validate(statuses, "expectedStatus")
        given["expectedStatus"] = statuses
    return found(workflow_runs.update_state.handler(ctx, given) or "null")


@operation({"record": v.any()})
def create_schedule(ctx: MutationCtx, args: Args) -> Doc:
    """Add a schedule."""
    TABLES["mastra_schedules"].save(ctx, [args["record"]])
    return done()


@operation({"record": v.any()})
def record_trigger(ctx: MutationCtx, args: Args) -> Doc:
    """Save what has been fired, of a schedule that there is."""
    TABLES["mastra_schedule_triggers"].save(ctx, [args["record"]])
    return done()


@operation({"now": v.number(), "limit": v.optional(v.number())})
def list_due(ctx: MutationCtx, args: Args) -> Doc:
    """The active schedules that are due, the earliest first."""
    limit = _limit_of(args)
    due = {"now": args["now"]}
    what = "listing schedules that are due"
    page = every(ctx, schedules.list_due, due, what, limit) if limit else []
    return found([columns.SCHEDULES.row(each) for each in page])


@operation(
    {
        "id": v.string(),
        "expectedNextFireAt": v.number(),
        "newNextFireAt": v.number(),
        "lastFireAt": v.number(),
        "lastRunId": v.string(),
    }
)
def advance(ctx: MutationCtx, args: Args) -> Doc:
    """Claim the fire of a schedule: of many, one gets true."""
    given = {name: x for name, x in args.items() if name not in ("op", "tableName")}
    return found(schedules.advance.handler(ctx, given))


@operation({"id": v.string(), "patch": v.any()})
def update_schedule(ctx: MutationCtx, args: Args) -> Doc:
    """Change a schedule; null takes a field away."""
    changes = columns.SCHEDULES.changes(args["patch"])
    # The store sets both.
    for name in ("workflowId", "updatedAt"):
        changes.pop(name, None)
    changed = schedules.update.handler(ctx, {**changes, "id": args["id"]})
    return found(columns.SCHEDULES.row(changed))


@operation(
    {
        "scheduleId": v.string(),
        "fromActualFireAt": v.optional(v.number()),
        "toActualFireAt": v.optional(v.number()),
        "limit": v.optional(v.number()),
    }
)
def list_triggers(ctx: MutationCtx, args: Args) -> Doc:
    """A schedule's history, newest first; from the one time, and before the other."""
    limit = _limit_of(args)
    given = {"scheduleId": args["scheduleId"], "order": "desc"}
    if "fromActualFireAt" in args:
        given["from"] = args["fromActualFireAt"]
    if "toActualFireAt" in args:
        given["to"] = math.nextafter(args["toActualFireAt"], -math.inf)
    page = every(ctx, schedules.list_triggers, given, "listing triggers", limit) if limit else []
    return found([columns.SCHEDULE_TRIGGERS.row(each) for each in page])


@operation({"scheduleId": v.string()})
def delete_triggers(ctx: MutationCtx, args: Args) -> Doc:
    """Delete a schedule's history."""
    history = ctx.db.query("scheduleTriggers")
    history.with_index("by_schedule", lambda q: q.eq("scheduleId", args["scheduleId"]))
    ctx.db.delete_range(history)
    return done()


def _limit_of(args: Args) -> int:
    return max(0, whole(args.get("limit", _DEFAULT_LIMIT)))


OPERATIONS: dict[str, Operation] = {
    "mergeWorkflowStepResult": merge_result,
    "mergeWorkflowState": merge_state,
    "createSchedule": create_schedule,
    "recordScheduleTrigger": record_trigger,
    "listDueSchedules": list_due,
    "updateScheduleNextFire": advance,
    "updateSchedule": update_schedule,
    "listScheduleTriggers": list_triggers,
    "deleteScheduleTriggers": delete_triggers,
}

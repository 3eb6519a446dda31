"""Schedules: what is to be fired when, and the history of what was fired."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import ConflictError, InvalidArgumentError, NotFoundError
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import list_by, nothing, page_of
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.functions.lib.records import (
    by_key,
    changed,
    insert,
    later,
    public,
    replace,
)
from mastra_convex.functions.lib.records import (
    remove as remove_record,
)
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import (
    list_args,
    nullable,
    page,
    payload,
    record,
    saved,
    schedule_fields,
    schedule_trigger_fields,
    time,
)
from mastra_convex.values.payload import encode_payload
from mastra_convex.values.validators import v

_INDEXES = {
    "by_workflow": ("workflowId",),
    "by_owner": ("ownerType", "ownerId"),
    "by_created": (),
}
_ALSO = ("ownerType", "ownerId", "status")

# The store takes it from the target.
_given = {name: field for name, field in schedule_fields.items() if name != "workflowId"}


@storage_query(args={"id": v.string()}, returns=v.union(record(schedule_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The schedule, or null."""
    require_service(ctx, "reading a schedule")
    schedule = by_key(ctx, "schedules", args["id"])
    return public(schedule) if schedule else None


@storage_query(
    args={
        "workflowId": v.optional(v.string()),
        "ownerType": v.optional(v.string()),
        "ownerId": v.optional(v.string()),
        "status": v.optional(schedule_fields["status"]),
        **list_args,
    },
    returns=page(schedule_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of schedules by `createdAt`, that meet all of the criteria given."""
    require_service(ctx, "listing schedules")
    return list_by(ctx, "schedules", _INDEXES, args, _ALSO)


@storage_query(args={"now": time(), **list_args}, returns=page(schedule_fields))
def list_due(ctx: QueryCtx, args: Args) -> Doc:
    """A page of the active schedules that are due, by `nextFireAt`."""
    require_service(ctx, "listing schedules")
    due = {**args, "to": args["now"]}
    return page_of(ctx, "schedules", "by_due", ("active",), due)


@storage_mutation(args={"schedule": saved(_given)}, returns=record(schedule_fields))
def create(ctx: MutationCtx, args: Args) -> Doc:
    """Add a schedule. The same one again is fine, another one of its id is a conflict."""
    require_service(ctx, "creating a schedule")
    schedule = {**args["schedule"], **_target(args["schedule"]["target"])}
    before = by_key(ctx, "schedules", schedule["id"])
    if before is None:
        times = {"createdAt": ctx.now, "updatedAt": ctx.now}
        return public(insert(ctx, "schedules", {**times, **schedule}))
    if public(before) != {**public(before), **schedule}:
        raise ConflictError(
            f"schedule {schedule['id']!r} exists already; update it, or choose another id",
            table="schedules",
            id=schedule["id"],
        )
    return public(before)


_update_fields = {
    "id": v.string(),
    "target": v.optional(payload()),
    "cron": v.optional(v.string()),
    "timezone": nullable(v.string()),
    "status": v.optional(schedule_fields["status"]),
    "nextFireAt": v.optional(time()),
    "ownerType": nullable(v.string()),
    "ownerId": nullable(v.string()),
    "metadata": nullable(payload()),
}


@storage_mutation(args=_update_fields, returns=record(schedule_fields))
def update(ctx: MutationCtx, args: Args) -> Doc:
    """Change a schedule. What is left out stays, and null takes a field away."""
    require_service(ctx, "updating a schedule")
    before = by_key(ctx, "schedules", args["id"])
    if before is None:
        raise NotFoundError(
            f"there is no schedule {args['id']!r}; create it first",
            table="schedules",
            id=args["id"],
        )
    kept = public(before)
    if "target" in args:
        kept.pop("workflowId", None)
        args = {**args, **_target(args["target"])}
    schedule = changed(kept, {**args, "updatedAt": later(ctx, before)})
    return public(replace(ctx, "schedules", before, schedule))


@storage_mutation(
    args={
        "id": v.string(),
        "expectedNextFireAt": time(),
        "newNextFireAt": time(),
        "lastFireAt": time(),
        "lastRunId": v.string(),
    },
    returns=v.boolean(),
)
def advance(ctx: MutationCtx, args: Args) -> bool:
    """Claim the fire of an active schedule: of many that expect the same time, one gets true."""
    require_service(ctx, "advancing a schedule")
    before = by_key(ctx, "schedules", args["id"])
    if before is None or before["status"] != "active":
        return False
    if before["nextFireAt"] != args["expectedNextFireAt"]:
        return False
    fired = {"nextFireAt": args["newNextFireAt"], "updatedAt": later(ctx, before)}
    last = {name: args[name] for name in ("lastFireAt", "lastRunId")}
    replace(ctx, "schedules", before, {**public(before), **fired, **last})
    return True


@storage_mutation(args={"id": v.string()}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete a schedule with its history. A missing one is fine."""
    require_service(ctx, "deleting a schedule")
    schedule = by_key(ctx, "schedules", args["id"])
    if schedule is not None:
        remove_record(ctx, "schedules", schedule)
        history = ctx.db.query("scheduleTriggers")
        history.with_index("by_schedule", lambda q: q.eq("scheduleId", args["id"]))
        ctx.db.delete_range(history)


@storage_mutation(
    args={"trigger": saved(schedule_trigger_fields)}, returns=record(schedule_trigger_fields)
)
def record_trigger(ctx: MutationCtx, args: Args) -> Doc:
    """Save by its id what has been fired, of a schedule that there is."""
    require_service(ctx, "recording a trigger")
    trigger = args["trigger"]
    if by_key(ctx, "schedules", trigger["scheduleId"]) is None:
        raise NotFoundError(
            f"trigger {trigger['id']!r} names schedule {trigger['scheduleId']!r}, which does not "
            "exist; create the schedule first",
            table="schedules",
            id=trigger["scheduleId"],
        )
    before = by_key(ctx, "scheduleTriggers", trigger["id"])
    return public(save_record(ctx, "scheduleTriggers", before, trigger))


@storage_query(args={"scheduleId": v.string(), **list_args}, returns=page(schedule_trigger_fields))
def list_triggers(ctx: QueryCtx, args: Args) -> Doc:
    """A page of a schedule's history, by `actualFireAt`."""
    require_service(ctx, "listing triggers")
    if by_key(ctx, "schedules", args["scheduleId"]) is None:
        return nothing(args)
    return page_of(ctx, "scheduleTriggers", "by_schedule", (args["scheduleId"],), args)


def _target(text: str) -> Doc:
    """The target, and the workflow that it names, as a schedule has them."""
    target = decoded(text)
    kind = target.get("type") if isinstance(target, dict) else None
    if not isinstance(kind, str):
        raise InvalidArgumentError("the target of a schedule is a map with a type", path="target")
    if kind == "heartbeat":  # what an agent's schedule was called once
        return {"target": encode_payload({**target, "type": "agent"})}
    workflow = target.get("workflowId") if kind == "workflow" else None
    named = {"workflowId": workflow} if isinstance(workflow, str) else {}
    return {"target": text, **named}

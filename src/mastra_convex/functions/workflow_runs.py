"""Workflow runs: the state of a run of a workflow, by workflow name and run id together."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    principal_of,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import list_by, nothing
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.records import remove as remove_record
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.lib.snapshots import (
    empty_snapshot,
    status_of,
    with_state,
    with_step_result,
)
from mastra_convex.functions.validators import (
    list_args,
    page,
    payload,
    record,
    saved,
    time,
    workflow_run_fields,
)
from mastra_convex.values.validators import v

# Runs of other workflows with the same id, and other owners, that a resource may have to look past.
_SAME_ID = 100

_INDEXES = {
    "by_resource": ("resourceId",),
    "by_workflow_status": ("workflowName", "stateType"),
    "by_workflow": ("workflowName",),
    "by_status": ("stateType",),
    "by_created": (),
}


@storage_query(
    args={"id": v.string(), "workflowName": v.optional(v.string())},
    returns=v.union(record(workflow_run_fields), v.null()),
)
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The run, or null; without the workflow's name, the newest run of that id."""
    if "workflowName" in args:
        run = by_key(ctx, "workflowRuns", args["workflowName"], args["id"])
    else:
        of_id = ctx.db.query("workflowRuns").with_index("by_run", lambda q: q.eq("id", args["id"]))
        newest = of_id.order("desc").take(1 if principal_of(ctx).is_service else _SAME_ID)
        run = next((each for each in newest if owns(ctx, each.get("resourceId"))), None)
    return public(run) if run and owns(ctx, run.get("resourceId")) else None


@storage_query(
    args={
        "workflowName": v.optional(v.string()),
        "resourceId": v.optional(v.string()),
        "stateType": v.optional(v.string()),
        **list_args,
    },
    returns=page(workflow_run_fields),
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of runs by `createdAt`, that meet all of the criteria given.

    The index is that of the resource, else the workflow (and state), else the state, else all.
    """
    own = principal_of(ctx).resource_id
    if own is not None:
        args = {"resourceId": own, **args}
    if not owns(ctx, args.get("resourceId")):
        return nothing(args)
    return list_by(ctx, "workflowRuns", _INDEXES, args)


@storage_mutation(args={"run": saved(workflow_run_fields)}, returns=record(workflow_run_fields))
def save(ctx: MutationCtx, args: Args) -> Doc:
    """Save a run by its workflow's name and its id, replacing what was saved before.

    The owner of a run stays when the new record names none.
    """
    require_service(ctx, "saving a workflow run")
    run = args["run"]
    before = by_key(ctx, "workflowRuns", run["workflowName"], run["id"])
    if before is None:
        run = {"updatedAt": run.get("createdAt", ctx.now), **run}
    else:
        run = {**_kept(before, ("resourceId",)), **run}
    return public(save_record(ctx, "workflowRuns", before, run))


_snapshot_fields = {
    "id": v.string(),
    "workflowName": v.string(),
    "resourceId": v.optional(v.string()),
    "stateType": v.optional(v.string()),
    "state": payload(),
    "createdAt": v.optional(time()),
    "updatedAt": v.optional(time()),
}


@storage_mutation(args={"run": v.object(_snapshot_fields)}, returns=v.null())
def persist(ctx: MutationCtx, args: Args) -> None:
    """Save the snapshot of a run, whole. What else the run has stays, its owner too."""
    require_service(ctx, "persisting a snapshot")
    run = args["run"]
    before = by_key(ctx, "workflowRuns", run["workflowName"], run["id"])
    if before is None:
        run = {"updatedAt": ctx.now, **run}
    else:
        run = {**_kept(before, ("resourceId", "error", "extra")), **run}
    save_record(ctx, "workflowRuns", before, run)


@storage_mutation(
    args={
        "id": v.string(),
        "workflowName": v.string(),
        "stepId": v.string(),
        "result": payload(),
        "requestContext": payload(),
    },
    returns=payload(),
)
def update_results(ctx: MutationCtx, args: Args) -> str:
    """Merge the result of one step into the snapshot of a run; returns the context, whole.

    A run that is missing begins with it, so that no result is lost.
    """
    require_service(ctx, "updating the results of a workflow run")
    before = by_key(ctx, "workflowRuns", args["workflowName"], args["id"])
    run = _with_snapshot(ctx, before, args)
    state, context = with_step_result(run, args["stepId"], args["result"], args["requestContext"])
    save_record(ctx, "workflowRuns", before, {**run, "state": state})
    return context


@storage_mutation(
    args={
        "id": v.string(),
        "workflowName": v.string(),
        "state": payload(),
        "expectedStatus": v.optional(v.array(v.string())),
    },
    returns=v.union(payload(), v.null()),
)
def update_state(ctx: MutationCtx, args: Args) -> str | None:
    """Lay `state` over the snapshot of a run; returns the snapshot.

    Null, and nothing is written, if there is no such run or its status is not an expected one.
    """
    require_service(ctx, "updating the state of a workflow run")
    before = by_key(ctx, "workflowRuns", args["workflowName"], args["id"])
    if before is None:
        return None
    run = _with_snapshot(ctx, before, args)
    state = with_state(run, args["state"], args.get("expectedStatus"))
    if state is not None:
        save_record(
            ctx, "workflowRuns", before, {**run, "state": state, **status_of(args["state"])}
        )
    return state


@storage_mutation(args={"id": v.string(), "workflowName": v.string()}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete a run. A missing one is fine."""
    require_service(ctx, "deleting a workflow run")
    run = by_key(ctx, "workflowRuns", args["workflowName"], args["id"])
    if run is not None:
        remove_record(ctx, "workflowRuns", run)


def _with_snapshot(ctx: MutationCtx, before: Doc | None, args: Args) -> Doc:
    """The run with a snapshot to merge into, and without `updatedAt`, which moves on."""
    run: Doc = {"id": args["id"], "workflowName": args["workflowName"]}
    if before is None:
        run["updatedAt"] = ctx.now
    else:
        run |= {name: value for name, value in public(before).items() if name != "updatedAt"}
    if run.get("state", "null") == "null":
        run["state"] = empty_snapshot(args["id"], ctx.now)
        run = {**status_of(run["state"]), **run}
    return run


def _kept(before: Doc, names: tuple[str, ...]) -> Doc:
    return {name: before[name] for name in names if name in before}

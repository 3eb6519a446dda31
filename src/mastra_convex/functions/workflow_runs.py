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
from mastra_convex.functions.lib.paging import nothing, page_of
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import list_args, page, record, saved, workflow_run_fields
from mastra_convex.values.validators import v

# Runs of other workflows with the same id, and other owners, that a resource may have to look past.
_SAME_ID = 100


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
    """A page of runs by `createdAt`.

    Of one resource, else one workflow (and state), else one state, else all.
    """
    principal = principal_of(ctx)
    resource_id = args.get("resourceId", principal.resource_id)
    if not owns(ctx, resource_id):
        return nothing(args)
    if resource_id is not None:
        return page_of(ctx, "workflowRuns", "by_resource", (resource_id,), args)
    name, state = args.get("workflowName"), args.get("stateType")
    if name is not None and state is not None:
        return page_of(ctx, "workflowRuns", "by_workflow_status", (name, state), args)
    if name is not None:
        return page_of(ctx, "workflowRuns", "by_workflow", (name,), args)
    if state is not None:
        return page_of(ctx, "workflowRuns", "by_status", (state,), args)
    return page_of(ctx, "workflowRuns", "by_created", (), args)


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
    elif "resourceId" in before:
        run = {"resourceId": before["resourceId"], **run}
    return public(save_record(ctx, "workflowRuns", before, run))

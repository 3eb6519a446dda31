"""Feedback: what people have said of an answer: a thumb, a rating, a comment.

The service writes it; a resource reads what names it.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.errors import NotFoundError
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    owns,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import arrivals_of
from mastra_convex.functions.lib.records import by_key, public, replace
from mastra_convex.functions.lib.signals import (
    list_signals,
    remove_by_traces,
    remove_signals,
    save_signals,
)
from mastra_convex.functions.validators import (
    arrivals,
    arrivals_args,
    list_args,
    page,
    record,
    saved,
)
from mastra_convex.functions.validators_signals import (
    CONTEXT,
    criteria,
    feedback_fields,
    removal_args,
    removal_result,
    tenant,
)
from mastra_convex.values.validators import v

_INDEXES = {
    "by_span": ("traceId", "spanId"),
    "by_trace": ("traceId",),
    "by_message": ("messageId",),
    "by_run": ("runId",),
    "by_thread": ("threadId",),
    "by_type": ("feedbackType",),
    "by_resource": ("resourceId",),
    "by_review": ("reviewStatus",),
    "by_timestamp": (),
}
_OWN = ("feedbackType", "feedbackSource", "feedbackUserId", "reviewStatus")
_status = feedback_fields["reviewStatus"]


@storage_query(args={"id": v.string()}, returns=v.union(record(feedback_fields), v.null()))
def get(ctx: QueryCtx, args: Args) -> Doc | None:
    """The feedback, or null."""
    found = by_key(ctx, "feedback", args["id"])
    return public(found) if found and owns(ctx, found.get("resourceId")) else None


@storage_query(
    args={**criteria(feedback_fields, *_OWN), **list_args}, returns=page(feedback_fields)
)
def list_(ctx: QueryCtx, args: Args) -> Doc:
    """A page of feedback by `timestamp`, that meets all of the criteria given."""
    return list_signals(ctx, "feedback", _INDEXES, args, (*CONTEXT, *_OWN))


@storage_query(args=arrivals_args, returns=arrivals(feedback_fields))
def list_arrived(ctx: QueryCtx, args: Args) -> Doc:
    """Feedback in the order in which it came in, whomever it belongs to."""
    return arrivals_of(ctx, "feedback", args)


@storage_mutation(
    args={"feedback": v.array(saved({**feedback_fields, "reviewStatus": v.optional(_status)}))},
    returns=v.null(),
)
def save(ctx: MutationCtx, args: Args) -> None:
    """Save feedback by id, replacing what is there; all of it, or none.

    It is to be reviewed unless it says otherwise; what was reviewed stays so when it is saved
    again, as after a lost reply.
    """
    require_service(ctx, "saving feedback")
    given = [
        {**each, "reviewStatus": each.get("reviewStatus") or _status_of(ctx, each["feedbackId"])}
        for each in args["feedback"]
    ]
    save_signals(ctx, "feedback", given)


def _status_of(ctx: MutationCtx, feedback_id: str) -> str:
    before = by_key(ctx, "feedback", feedback_id)
    return str(before["reviewStatus"]) if before else "needs-review"


@storage_mutation(args={"id": v.string(), "reviewStatus": _status}, returns=record(feedback_fields))
def review(ctx: MutationCtx, args: Args) -> Doc:
    """Set whether feedback was reviewed; returns it."""
    require_service(ctx, "reviewing feedback")
    before = by_key(ctx, "feedback", args["id"])
    if before is None:
        raise NotFoundError(
            f"there is no feedback {args['id']!r}; create it first", table="feedback", id=args["id"]
        )
    after = {**before, "reviewStatus": args["reviewStatus"]}
    return public(replace(ctx, "feedback", before, public(after)))


@storage_mutation(args={"ids": v.array(v.string()), **tenant}, returns=v.null())
def remove(ctx: MutationCtx, args: Args) -> None:
    """Delete feedback: that of the organization and the resource, if given.

    Unknown ids are fine.
    """
    remove_signals(ctx, "feedback", args["ids"], args)


@storage_mutation(args=removal_args, returns=removal_result)
def remove_of_traces(ctx: MutationCtx, args: Args) -> Doc:
    """Delete the feedback of traces: that of the organization and the resource, if given."""
    return remove_by_traces(ctx, "feedback", args)

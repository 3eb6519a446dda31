"""Arguments of mutations on logs, metrics, scores and feedback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_convex.models_signals import REVIEW_STATUSES, Feedback, Signal
from mastra_convex.updates import batches, several

# So few that even scores with long reasons can go in one transaction.
_IDS_AT_ONCE = 100
# What deletes the signals of traces.
REMOVALS = tuple(
    f"{table}:removeOfTraces" for table in ("logs", "metrics", "scoreEvents", "feedback")
)


def signal_batches(
    kind: type[Signal], name: str, label: str, records: Iterable[Signal | Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The arguments `name` of the calls that save several signals, which errors call `label`."""
    return batches(name, [kind.encode(record) for record in several(records, label)])


def signal_removals(
    kind: type[Signal],
    label: str,
    ids: Sequence[str],
    organization_id: str | None,
    resource_id: str | None,
) -> list[dict[str, Any]]:
    """The arguments of the calls that delete several signals; errors call the ids `label`."""
    given = several(ids, label)
    for signal_id in given:
        kind.encode_field(kind.key, signal_id, kind.noun)
    scope = {
        name: kind.encode_field(name, value, kind.noun)
        for name, value in (("organizationId", organization_id), ("resourceId", resource_id))
        if value is not None
    }
    starts = range(0, len(given), _IDS_AT_ONCE)
    return [{"ids": given[start : start + _IDS_AT_ONCE], **scope} for start in starts]


def feedback_review(feedback_id: Any, review_status: Any) -> dict[str, Any]:
    """What `feedback:review` takes."""
    Feedback.one_of(
        {"feedbackId": feedback_id, "reviewStatus": review_status}, "reviewStatus", REVIEW_STATUSES
    )
    return {
        "id": Feedback.encode_field("feedbackId", feedback_id, Feedback.noun),
        "reviewStatus": Feedback.encode_field("reviewStatus", review_status, Feedback.noun),
    }


def left_of(args: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any] | None:
    """What is left to do of a removal by traces, given the reply of a call; None if nothing."""
    rest = int(reply["rest"])
    if rest == 0:
        return None
    ids = args["traceIds"]
    left = {name: value for name, value in args.items() if name != "cursor"}
    cursor = {} if reply["cursor"] is None else {"cursor": reply["cursor"]}
    return {**left, "traceIds": ids[len(ids) - rest :], **cursor}

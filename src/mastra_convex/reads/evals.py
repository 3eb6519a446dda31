"""Reading evals."""

from __future__ import annotations

from datetime import datetime

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Eval, EvalPage
from mastra_convex.reads.listing import Read, given, listing, matching, named, time_range, window

_TYPES = ("test", "live")


def evaluation(eval_id: str) -> Read[Eval | None]:
    """One eval, or None."""
    found = yield "evals:get", {"id": named(eval_id, "eval_id")}
    return None if found is None else Eval.of(found)


def evals(
    agent_name: str | None,
    type: str | None,
    thread_id: str | None,
    from_date: datetime | float | str | None,
    to_date: datetime | float | str | None,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[EvalPage]:
    """A page of evals, newest first."""
    if type is not None and type not in _TYPES:
        raise InvalidArgumentError(f"type is 'test' or 'live', not {type!r:.60}", path="type")
    wanted = window(page, per_page, include_total)
    args = {"order": "desc", **time_range(from_date, to_date)}
    criteria = given(agentName=agent_name, type=type)
    if thread_id is None:
        args |= criteria
        criteria = {}
    args |= given(threadId=thread_id)
    found = yield from listing("evals:list", args, wanted, matching(criteria))
    return EvalPage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        evals=[Eval.of(document) for document in found.documents],
    )


def agent_evals(
    agent_name: str,
    type: str | None = None,
) -> Read[list[Eval]]:
    """All evals of an agent, newest first."""
    name = named(agent_name, "agent_name")
    page = yield from evals(name, type, None, None, None, 0, False, include_total=False)
    return page.evals

"""Reading scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_jobs import Score, ScorePage
from mastra_convex.reads.listing import (
    Doc,
    Read,
    Window,
    given,
    listing,
    named,
    page_numbers,
    window,
)
from mastra_convex.values.names import camel_case

_SOURCES = ("LIVE", "TEST")


def score(score_id: str) -> Read[Score | None]:
    """One score, or None."""
    found = yield "scores:get", {"id": named(score_id, "score_id")}
    return None if found is None else Score.of(found)


def scores(
    of: Mapping[str, Any],
    also: Mapping[str, Any],
    filters: Mapping[str, Any] | None,
    pagination: Mapping[str, Any] | None,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[ScorePage]:
    """A page of scores, newest first: those `of` something, that meet other criteria `also`."""
    args = {**_criteria(of, also), **_tenancy(filters), "order": "desc"}
    if pagination is not None:
        page, per_page = page_numbers(pagination, page, per_page)
    wanted = window(page, per_page, include_total)
    found = yield from listing("scores:list", args, wanted)
    return ScorePage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        scores=[Score.of(document) for document in found.documents],
    )


def newest_scores(of: Mapping[str, Any], also: Mapping[str, Any], last: Any) -> Read[list[Score]]:
    """The newest `last` scores of something, or all of them, newest first."""
    args = {**_criteria(of, also), "order": "desc"}
    if last is not None and (type(last) is not int or last < 1):
        raise InvalidArgumentError(f"last must be >= 1 and whole, not {last!r:.60}", path="last")
    wanted = Window(0, False if last is None else last, include_total=False)
    found = yield from listing("scores:list", args, wanted, look_beyond=False)
    return [Score.of(document) for document in found.documents]


def _criteria(of: Mapping[str, Any], also: Mapping[str, Any]) -> Doc:
    """Arguments by their names in Python: `of` is required, of `also` empty text is nothing."""
    source = also.get("source")
    if source is not None and source not in _SOURCES:
        raise InvalidArgumentError(f"source is 'LIVE' or 'TEST', not {source!r:.60}", path="source")
    args = {camel_case(name): named(value, name) for name, value in of.items()}
    for name, value in also.items():
        args |= {camel_case(name): each for each in given(**{name: value or None}).values()}
    return args


def _tenancy(filters: Any) -> Doc:
    """Whose scores: of an organization, a project, both. Raises `InvalidArgumentError`."""
    names = {"organizationId": "organizationId", "organization_id": "organizationId"}
    names |= {"projectId": "projectId", "project_id": "projectId"}
    if filters is None:
        return {}
    if not isinstance(filters, Mapping) or not filters.keys() <= names.keys():
        raise InvalidArgumentError(
            f"filters is a mapping with organizationId and projectId, not {filters!r:.60}",
            path="filters",
        )
    return given(**{names[name]: value for name, value in filters.items()})

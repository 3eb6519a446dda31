"""The journal of a paginated query that is watched: where its page ends.

A page is asked for by its beginning and a number of records. Where it ended when it was first read
is kept, and handed to the function each time it is run again: so the page stays the same part of
its list, and neither overlaps with the next one nor leaves a gap. The client is told as well, and
gives it back when it connects anew.
"""

from __future__ import annotations

from typing import Any

Args = dict[str, Any]

_OPTIONS = "paginationOpts"
_END = "endCursor"


def is_open(args: Args) -> bool:
    """Whether a call asks for a page whose end is not known yet."""
    options = args.get(_OPTIONS)
    return isinstance(options, dict) and options.get(_END) is None


def pinned(args: Args, journal: str | None) -> Args:
    """The arguments with the end that the journal names; the same ones if there is none to name."""
    if not journal or not is_open(args):
        return args
    return {**args, _OPTIONS: {**args[_OPTIONS], _END: journal}}


def journal_of(value: Any) -> str | None:
    """The journal in what a query returned; None if that is no page, or its end is still open."""
    if not isinstance(value, dict) or not value.keys() >= {"page", "isDone", "continueCursor"}:
        return None
    cursor = value["continueCursor"]
    return cursor if isinstance(cursor, str) and cursor else None

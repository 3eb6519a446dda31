"""Reading spans: a trace's structure first, then the bodies of those that are wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.listing import Doc, Read, Window, listing, named
from mastra_convex.span import LightSpan, Span

_IDS_AT_ONCE = 250
_EVERYTHING = Window(0, False, include_total=False)
# A trace takes them from its root, or without one from the span that began first.
_OF_ROOT = ("threadId", "runId", "name")


def span(trace_id: str, span_id: str) -> Read[Span | None]:
    """One span, or None."""
    args = {"traceId": named(trace_id, "trace_id"), "spanId": named(span_id, "span_id")}
    found = yield "spans:get", args
    return None if found is None else Span.of(found)


def root(trace_id: str) -> Read[Span | None]:
    """The root of a trace, or None."""
    found = yield "spans:getRoot", {"traceId": named(trace_id, "trace_id")}
    return None if found is None else Span.of(found)


def by_id(trace_id: str, span_ids: Sequence[str]) -> Read[list[Span]]:
    """The spans of a trace with these ids that there are, in that order, as often as asked for."""
    if isinstance(span_ids, (str, bytes, Mapping)) or not isinstance(span_ids, Iterable):
        raise InvalidArgumentError(
            f"span_ids is a list of ids, not {span_ids!r:.60}", path="span_ids"
        )
    ids = [named(span_id, f"span_ids[{n}]") for n, span_id in enumerate(span_ids)]
    found = yield from whole(_keys(named(trace_id, "trace_id"), ids))
    return [Span.of(document) for document in found]


def structure(trace_id: str) -> Read[list[LightSpan] | None]:
    """The spans of a trace without what may be large, by their beginnings; or None."""
    found = yield from _light(trace_id)
    return [LightSpan.of(document) for document in _in_time(found)] or None


def opened(opened_by: str) -> Read[list[LightSpan]]:
    """The spans that somebody has opened and not closed, in the order in which they were saved."""
    args = {"openedBy": named(opened_by, "opened_by"), "order": "asc"}
    found = yield from listing("spans:listOpen", args, _EVERYTHING)
    return [LightSpan.of(document) for document in found.documents]


def branch(trace_id: str, span_id: str, depth: int | None) -> Read[list[Span] | None]:
    """A span with those below it, down to `depth`, by their beginnings; or None."""
    if depth is not None and (type(depth) is not int or depth < 0):
        raise InvalidArgumentError(f"depth must be >= 0 and whole, not {depth!r}", path="depth")
    named(span_id, "span_id")
    found = yield from _light(trace_id)
    ids = _below(found, span_id, depth)
    if not ids:
        return None
    wanted = [document["spanId"] for document in found if document["spanId"] in ids]
    return [Span.of(each) for each in _in_time((yield from whole(_keys(trace_id, wanted))))]


def changed_since(trace_id: str, moment: float) -> Read[list[Span]]:
    """The spans of a trace that came or changed after a moment, by their beginnings."""
    found = yield from _light(trace_id)
    ids = [document["spanId"] for document in found if document["updatedAt"] > moment]
    return [Span.of(each) for each in _in_time((yield from whole(_keys(trace_id, ids))))]


def trace_document(trace_id: str) -> Read[Doc | None]:
    """The document of a trace that spans make, in the shape of one that has them inside."""
    found = yield from _light(trace_id)
    keys = _keys(trace_id, [each["spanId"] for each in found])
    spans = _in_time((yield from whole(keys)))
    if not spans:
        return None
    head = next((each for each in spans if "parentSpanId" not in each), spans[0])
    return {
        "id": trace_id,
        **{name: head[name] for name in _OF_ROOT if name in head},
        "timestamp": head["startedAt"],
        "createdAt": min(each["createdAt"] for each in spans),
        "spans": f"[{','.join(map(Span.json_text, spans))}]",
    }


def _light(trace_id: str) -> Read[list[Doc]]:
    """All spans of a trace, light, in the order in which they arrived.

    In that order what is new comes into the last page, and the others stay what they are.
    """
    args = {"traceId": named(trace_id, "trace_id"), "order": "asc"}
    return (yield from listing("spans:list", args, _EVERYTHING)).documents


def whole(keys: list[Doc]) -> Read[list[Doc]]:
    """The spans of these keys (`traceId`, `spanId`) that there are, with bodies, in that order."""
    found: list[Doc] = []
    for start in range(0, len(keys), _IDS_AT_ONCE):
        left = keys[start : start + _IDS_AT_ONCE]
        while left:
            reply = yield "spans:listById", {"spans": left}
            found += reply["page"]
            left = left[len(left) - int(reply["rest"]) :]
    return found


def _keys(trace_id: str, span_ids: list[str]) -> list[Doc]:
    return [{"traceId": trace_id, "spanId": span_id} for span_id in span_ids]


def _in_time(spans: list[Doc]) -> list[Doc]:
    return sorted(spans, key=lambda document: document["startedAt"])


def _below(spans: list[Doc], span_id: str, depth: int | None) -> set[str]:
    """The ids of a span and of those below it; none if it is not there. A cycle is cut."""
    children = defaultdict(list)
    for document in spans:
        children[document.get("parentSpanId")].append(document["spanId"])
    if all(document["spanId"] != span_id for document in spans):
        return set()
    found, level = {span_id}, [span_id]
    while level and (depth is None or depth > 0):
        level = [child for parent in level for child in children[parent] if child not in found]
        found.update(level)
        depth = None if depth is None else depth - 1
    return found

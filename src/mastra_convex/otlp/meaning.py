"""What the attributes of a span mean to Mastra: its type, who did the work, for whom, with what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_convex.otlp.conventions import (
    COST_UNIT,
    DATABASE_NAMES,
    ENTITIES,
    IDS,
    INVOCATION,
    INVOCATION_PARAMETERS,
    MASTRA_TYPE,
    MASTRA_TYPES,
    MCP_METHOD,
    METADATA,
    METADATA_PREFIX,
    MODEL_NAMES,
    MODEL_TYPES,
    OPENINFERENCE_KIND,
    OPENINFERENCE_KINDS,
    OPERATION,
    OPERATIONS,
    PROPERTIES_PREFIX,
    REQUEST_TYPE,
    REQUEST_TYPES,
    ROWS,
    TAGS,
    TOLD_OTHERWISE,
    TRACELOOP_KIND,
    TRACELOOP_KINDS,
    VECTOR_DATABASES,
    Row,
)
from mastra_convex.otlp.span import SERVER, OtelSpan, first_text
from mastra_convex.otlp.told import opened
from mastra_convex.values.names import camel_case

Attributes = dict[str, Any]

_ID_NAMES = frozenset(name for names in IDS.values() for name in names)
_PREFIXES = (METADATA_PREFIX, PROPERTIES_PREFIX)
_KINDS = (
    (OPERATION, OPERATIONS),
    (OPENINFERENCE_KIND, OPENINFERENCE_KINDS),
    (TRACELOOP_KIND, TRACELOOP_KINDS),
    (REQUEST_TYPE, REQUEST_TYPES),
)


def _by_name(rows: Iterable[Row]) -> dict[str, list[tuple[tuple[str, ...], str, int]]]:
    """For each attribute's name what it may tell: the path, the kind, and its place in the row."""
    found: dict[str, list[tuple[tuple[str, ...], str, int]]] = {}
    for path, kind, names in rows:
        for place, name in enumerate(names):
            found.setdefault(name, []).append((tuple(path.split(".")), kind, place))
    return found


# So a span costs as many look-ups as it has attributes, and not as there are names.
_TOLD_BY = {kind: _by_name(rows) for kind, rows in ROWS.items()}


def span_type(span: OtelSpan) -> str:
    """Mastra's type of a span."""
    attributes = span.attributes
    own = attributes.get(MASTRA_TYPE)
    if isinstance(own, str) and own in MASTRA_TYPES:
        return own
    if MCP_METHOD in attributes:
        if span.kind == SERVER:
            return "mcp_server_request"
        if attributes[MCP_METHOD] == "tools/call":
            return "mcp_tool_call"
    for name, kinds in _KINDS:
        given = attributes.get(name)
        if isinstance(given, str) and given in kinds:
            if given == "CHAIN" and not span.parent_span_id:
                return "workflow_run"
            return kinds[given]
    if first_text(attributes, MODEL_NAMES):
        return "model_generation"
    return (
        "rag_vector_operation"
        if first_text(attributes, DATABASE_NAMES).lower() in VECTOR_DATABASES
        else "generic"
    )


def identity_of(attributes: Attributes, kind: str) -> dict[str, str]:
    """The fields of a span of a type that say what did the work, and what it was done for."""
    found = {}
    if not _ID_NAMES.isdisjoint(attributes):
        for field, names in IDS.items():
            if text := first_text(attributes, names):
                found[field] = text
    entity = ENTITIES.get(kind)
    if entity is None:
        return found
    own_id, name = first_text(attributes, entity.ids), first_text(attributes, entity.names)
    if own_id or name:
        found["entityType"] = entity.type
        found["entityId"] = own_id or name
        found["entityName"] = name or own_id
        if version := first_text(attributes, entity.versions):
            found["entityVersionId"] = version
    return found


def typed(attributes: Attributes, kind: str) -> Attributes:
    """What Mastra's spans of a type have in their attributes, as far as it is told."""
    found: Attributes = {}
    told_by = _TOLD_BY.get(kind)
    if told_by is not None:
        places: dict[tuple[str, ...], int] = {}
        for name, given in attributes.items():
            for path, wanted, place in told_by.get(name, ()):
                if place < places.get(path, place + 1):
                    value = _as(wanted, given)
                    if value is not None:
                        places[path] = place
                        _put(found, path, value)
    if INVOCATION in attributes and kind in MODEL_TYPES:
        given = opened(attributes[INVOCATION])
        for name, value in given.items() if isinstance(given, dict) else ():
            if name in INVOCATION_PARAMETERS and value is not None:
                found.setdefault("parameters", {}).setdefault(INVOCATION_PARAMETERS[name], value)
    if "costContext" in found:
        cost = found["costContext"]
        cost["costUnit"] = COST_UNIT
        cost.update((name, found[name]) for name in ("provider", "model") if name in found)
    if MASTRA_TYPE in attributes:
        prefix = f"mastra.{kind}."
        for name, given in attributes.items():
            if name.startswith(prefix) and name[len(prefix) :] not in TOLD_OTHERWISE:
                found.setdefault(camel_case(name[len(prefix) :]), opened(given))
    return found


def _as(wanted: str, value: Any) -> Any:
    """The value if it is what is wanted, or says it; None if not."""
    if wanted == "text":
        return value if isinstance(value, str) and value else None
    if wanted == "number":
        return value if type(value) in {int, float} else None
    if wanted == "flag":
        return value if isinstance(value, bool) else None
    told = opened(value)
    if wanted == "list":
        return told if isinstance(told, list) else None
    first = told[0] if isinstance(told, list) and told else told
    return first if isinstance(first, str) and first else None


def _put(found: Attributes, path: tuple[str, ...], value: Any) -> None:
    *way, last = path
    for step in way:
        found = found.setdefault(step, {})
    found[last] = value


def metadata_of(attributes: Attributes) -> Attributes:
    """The metadata that attributes carry, member by member or as one object."""
    found: Attributes = {}
    given = opened(attributes.get(METADATA))
    if isinstance(given, dict):
        found.update(given)
    for name, value in attributes.items():
        if name.startswith(_PREFIXES):
            prefix = METADATA_PREFIX if name.startswith(METADATA_PREFIX) else PROPERTIES_PREFIX
            found[name[len(prefix) :]] = opened(value)
    return found


def tags_of(attributes: Attributes) -> list[str]:
    """The tags that attributes carry."""
    for name in TAGS:
        given = opened(attributes.get(name))
        if isinstance(given, list):
            return [each for each in given if isinstance(each, str)]
    return []

"""Reading what there is to filter by: values, each once, in order."""

from __future__ import annotations

from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.listing import MAX_PAGE, Doc, Read, given, named


def metric_names(prefix: Any, limit: Any) -> Read[list[str]]:
    """The names of metrics that begin with a text."""
    return (yield from _names("metrics:listNames", {}, prefix, limit))


def label_keys(metric_name: Any) -> Read[list[str]]:
    """The keys of a metric's labels."""
    return (yield from _below("label", named(metric_name, "metric_name")))


def label_values(metric_name: Any, label_key: Any, prefix: Any, limit: Any) -> Read[list[str]]:
    """The values of a label of a metric that begin with a text."""
    path = ["label", named(metric_name, "metric_name"), named(label_key, "label_key")]
    return (yield from _names("discovery:list", {"path": path}, prefix, limit))


def entity_types() -> Read[list[str]]:
    """The types of entities."""
    return [kind for kind in (yield from _below("entity")) if kind]


def entity_names(entity_type: Any) -> Read[list[str]]:
    """The names of entities, of a type or of all."""
    return (yield from _of_types("entity", entity_type))


def tags(entity_type: Any) -> Read[list[str]]:
    """The tags of what a type of entity, or any, has done."""
    return (yield from _of_types("tag", entity_type))


def service_names() -> Read[list[str]]:
    """The names of services."""
    return (yield from _below("serviceName", "", ""))


def environments() -> Read[list[str]]:
    """The environments."""
    return (yield from _below("environment", "", ""))


def _of_types(kind: str, entity_type: Any) -> Read[list[str]]:
    wanted = [each for each in given(entity_type=entity_type).values() if each]
    types = wanted or (yield from _below(kind))
    found: set[str] = set()
    for each in types:
        found.update((yield from _below(kind, each, "")))
    return sorted(found - {""})


def _below(*path: str) -> Read[list[str]]:
    return (yield from _names("discovery:list", {"path": list(path)}, None, None))


def _names(function: str, args: Doc, prefix: Any, limit: Any) -> Read[list[str]]:
    """Up to `limit` names, or all; None and 0 are all, as in Mastra."""
    if limit is not None and (type(limit) is not int or limit < 0):
        raise InvalidArgumentError(f"limit must be >= 0 and whole, not {limit!r:.60}", path="limit")
    args = {**args, "prefix": "" if prefix is None else named(prefix, "prefix")}
    names: list[str] = []
    while True:
        some = MAX_PAGE if not limit else min(MAX_PAGE, limit - len(names))
        after = {"after": names[-1]} if names else {}
        more = yield function, {**args, "limit": some, **after}
        names += more
        if len(more) < some or len(names) == limit:
            return names

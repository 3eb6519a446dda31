"""Which part of an index a query has read, and whether a changed document falls into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Key = tuple[Any, ...]
Bound = tuple[Key, bool]


def sortable(values: Iterable[Any]) -> Key:
    """Index values in Convex's order (missing, numbers, text), comparable with one another."""
    return tuple(
        (2, value) if isinstance(value, str) else (0,) if value is None else (1, value)
        for value in values
    )


@dataclass(frozen=True, slots=True)
class ReadRange:
    """An interval of one index: keys from `low` to `high`, each with "inclusive".

    A bound may be shorter than a key; then it speaks of all keys that begin so. `equal` is the
    leading part that both bounds share.
    """

    table: str
    index: str
    equal: Key
    low: Bound
    high: Bound

    def contains(self, key: Key) -> bool:
        """Whether the key (index fields, then `_id`) lies in the interval."""
        bound, inclusive = self.low
        part = key[: len(bound)]
        if part < bound or (part == bound and not inclusive):
            return False
        bound, inclusive = self.high
        part = key[: len(bound)]
        return part < bound or (part == bound and inclusive)

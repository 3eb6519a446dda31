"""Names in the two languages: snake_case in Python, camelCase on the wire."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """`list_by_agent` as `listByAgent`; a trailing underscore is dropped."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)

"""Names in the two languages, and ids that both make alike."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """`list_by_agent` as `listByAgent`; a trailing underscore is dropped."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def derived_id(text: str) -> str:
    """An id that follows from a text: the first half of its SHA-256, in the form of a UUID."""
    # Imported where it is used: few programs need it, and OpenSSL comes along.
    import hashlib

    digits = hashlib.sha256(text.encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))

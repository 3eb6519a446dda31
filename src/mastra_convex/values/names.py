"""Names in the two languages, and ids that both make alike."""

from __future__ import annotations

import hashlib


def camel_case(name: str) -> str:
    """`list_by_agent` as `listByAgent`; a trailing underscore is dropped."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def copy_id(thread_id: str, message_id: str) -> str:
    """The id of a message's copy in a thread: it follows from both, in the form of a UUID."""
    digits = hashlib.sha256(f"{thread_id}\n{message_id}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))

"""Names in the two languages, and ids that both make alike."""

from __future__ import annotations

import hashlib


def camel_case(name: str) -> str:
    """`list_by_agent` as `listByAgent`; a trailing underscore is dropped."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def copy_id(thread_id: str, message_id: str) -> str:
    """The id of a message's copy in a thread: it follows from both, in the form of a UUID."""
    digits = _digits(f"{thread_id}\n{message_id}")
    return f"{copy_prefix(thread_id)}{digits[:4]}-{digits[4:]}"


def copy_prefix(thread_id: str) -> str:
    """What the ids of all copies in a thread begin with: half of each, and a hyphen."""
    digits = _digits(thread_id)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:]}-"


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""Where the functions are answered: a backend has `query`, `mutation`, `subscribe` and `close`.

`open_backend` and `open_async_backend` choose one by what they are given, and load it only then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mastra_convex.backends.credentials import Credentials
from mastra_convex.errors import InvalidArgumentError

if TYPE_CHECKING:
    from mastra_convex.backends.base import AsyncBackend, Backend

DEFAULT_FILE = "mastra-convex.db"


@dataclass(frozen=True)
class Options:
    """What a storage may be given besides its target."""

    credentials: Credentials
    prefix: str
    timeout: float
    durability: str


def open_backend(target: str | os.PathLike[str] | None, options: Options) -> Backend:
    """The blocking backend for an address, a path or ":memory:".

    None means CONVEX_URL, else a file here.
    """
    place = _place(target, options)
    if _is_address(place):
        from mastra_convex.backends.remote import RemoteBackend

        return RemoteBackend(place, options.prefix, options.credentials, options.timeout)
    from mastra_convex.backends.embedded import EmbeddedBackend

    return EmbeddedBackend(place, durable=options.durability == "full")


def open_async_backend(target: str | os.PathLike[str] | None, options: Options) -> AsyncBackend:
    """The `async` backend for the same targets; a file is opened with the first call."""
    place = _place(target, options)
    if _is_address(place):
        from mastra_convex.backends.remote import AsyncRemoteBackend

        return AsyncRemoteBackend(place, options.prefix, options.credentials, options.timeout)
    from mastra_convex.backends.embedded import AsyncEmbeddedBackend

    return AsyncEmbeddedBackend(place, durable=options.durability == "full")


def _place(target: str | os.PathLike[str] | None, options: Options) -> str:
    if options.durability not in {"full", "relaxed"}:
        raise InvalidArgumentError(f"durability is 'full' or 'relaxed', not {options.durability!r}")
    place = os.fspath(target or os.environ.get("CONVEX_URL") or DEFAULT_FILE)
    if _is_address(place):
        if options.durability != "full":
            raise InvalidArgumentError(
                f"durability is for files; {place} decides for itself how durable it is"
            )
        return place
    if options.prefix or options.credentials.has_token:
        raise InvalidArgumentError(
            f"prefix and token are for a deployment or a server, and {place} is a file"
        )
    return place if place == ":memory:" else os.path.abspath(place)


def _is_address(place: str) -> bool:
    return place.startswith(("http://", "https://"))

"""Where the functions are answered: a backend has `query`, `mutation`, `subscribe` and `close`.

`open_backend` and `open_async_backend` choose one by what they are given, and load it only then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mastra_convex.errors import InvalidArgumentError

if TYPE_CHECKING:
    from mastra_convex.backends.base import AsyncBackend, Backend

DEFAULT_FILE = "mastra-convex.db"


def _embedded_path(target: str | os.PathLike[str] | None, durability: str) -> str:
    if durability not in {"full", "relaxed"}:
        raise InvalidArgumentError(f"durability is 'full' or 'relaxed', not {durability!r}")
    path = os.fspath(target or os.environ.get("CONVEX_URL") or DEFAULT_FILE)
    if path.startswith(("http://", "https://")):
        raise InvalidArgumentError(
            f"{path}: this version stores in files and cannot talk to a deployment yet; "
            "give the path of a file, and unset CONVEX_URL if it is set"
        )
    return path if path == ":memory:" else os.path.abspath(path)


def open_backend(target: str | os.PathLike[str] | None, durability: str) -> Backend:
    """The blocking backend for a path (or ":memory:"); None means CONVEX_URL, else a file here."""
    from mastra_convex.backends.embedded import EmbeddedBackend

    return EmbeddedBackend(_embedded_path(target, durability), durable=durability == "full")


def open_async_backend(target: str | os.PathLike[str] | None, durability: str) -> AsyncBackend:
    """The `async` backend for the same targets; the file is opened with the first call."""
    from mastra_convex.backends.embedded import AsyncEmbeddedBackend

    return AsyncEmbeddedBackend(_embedded_path(target, durability), durable=durability == "full")

"""Which client is asking, by what it says of itself, and whether it is too old to be served.

Clients of Convex say `npm-1.48.0` in the header `Convex-Client`; those of npm have their version in
the WebSocket's path. Who says nothing is served as the newest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mastra_convex.protocol.requests import RefusedRequestError

_VERSION = r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+][0-9A-Za-z.+-]+)?"
_CLIENT = re.compile(rf"(.+?)-{_VERSION}\Z", re.ASCII)
_PATH_VERSION = re.compile(rf"{_VERSION}\Z", re.ASCII)

# The last versions that Convex refuses.
_REFUSED = {
    **dict.fromkeys(("npm", "npm-cli", "actions"), (0, 19, 1)),
    **dict.fromkeys(("python", "python-convex"), (0, 0, 2)),
    "rust": (0, 0, 1),
}
# The first npm client that puts transitions together from pieces.
_CHUNKS_SINCE = (1, 28, 0)


class Client(NamedTuple):
    """A client's name, and its version if that is like 1.2.3."""

    name: str
    version: tuple[int, int, int] | None

    @property
    def understands_chunks(self) -> bool:
        """Whether it is to be sent large transitions in pieces."""
        return self.name == "npm" and (self.version or (0, 0, 0)) >= _CHUNKS_SINCE


_UNKNOWN = Client("unknown", None)


@lru_cache(maxsize=256)
def client_of(header: str | None, path_version: str | None = None) -> Client:
    """The client that says so of itself; the header counts for more than the path.

    Raises `RefusedRequestError` for what names no client, and for one that is too old.
    """
    if header:
        client = _named(header)
    elif path_version is not None:
        found = _PATH_VERSION.match(path_version)
        if found is None:
            raise _unreadable()
        client = Client("npm", (int(found[1]), int(found[2]), int(found[3])))
    else:
        return _UNKNOWN
    last = _REFUSED.get(client.name)
    if last is not None and (client.version is None or client.version <= last):
        raise RefusedRequestError(
            400,
            "ClientVersionUnsupported",
            f"this version of Convex's client ({client.name}) is no longer supported; update it",
        )
    return client


def _named(header: str) -> Client:
    found = _CLIENT.match(header)
    if found is not None:
        return Client(found[1].lower(), (int(found[2]), int(found[3]), int(found[4])))
    name, dash, _ = header.partition("-")
    if not dash:
        raise _unreadable()
    return Client(name.lower(), None)


def _unreadable() -> RefusedRequestError:
    return RefusedRequestError(
        400, "InvalidClientVersion", "a client is named like npm-1.2.3, and its version is 1.2.3"
    )

"""Who is asking: names and versions as clients of Convex write them, and those that are refused."""

from __future__ import annotations

import pytest

from mastra_convex.protocol.clients import Client, client_of
from mastra_convex.protocol.requests import RefusedRequestError


@pytest.mark.parametrize(
    ("header", "path_version", "client"),
    [
        ("npm-1.48.0", None, Client("npm", (1, 48, 0))),
        ("npm-cli-1.4.1", None, Client("npm-cli", (1, 4, 1))),
        ("Python-0.8.1-a0", None, Client("python", (0, 8, 1))),
        ("python-convex-0.2.0", None, Client("python-convex", (0, 2, 0))),
        ("rust-0.10.4", "1.48.0", Client("rust", (0, 10, 4))),
        ("mastra-convex-0.1.0.dev1", None, Client("mastra", None)),
        ("streaming-import-0.0.1", None, Client("streaming-import", (0, 0, 1))),
        (None, "1.28.0-alpha.1", Client("npm", (1, 28, 0))),
        ("", "0.19.2", Client("npm", (0, 19, 2))),
        (None, None, Client("unknown", None)),
    ],
)
def test_who_it_is(header: str | None, path_version: str | None, client: Client) -> None:
    assert client_of(header, path_version) == client


@pytest.mark.parametrize(
    ("header", "path_version", "code"),
    [
        ("npm-0.19.1", None, "ClientVersionUnsupported"),
        ("npm-cli-0.19.1-beta", None, "ClientVersionUnsupported"),
        ("actions-0.1.0", None, "ClientVersionUnsupported"),
        ("npm-canary", "1.48.0", "ClientVersionUnsupported"),
        ("python-0.0.2", None, "ClientVersionUnsupported"),
        ("rust-0.0.1", None, "ClientVersionUnsupported"),
        (None, "0.19.0", "ClientVersionUnsupported"),
        ("npm", None, "InvalidClientVersion"),
        (f"npm-{'9' * 5000}.0.0", None, "ClientVersionUnsupported"),
        (None, "1.48", "InvalidClientVersion"),
        (None, "x", "InvalidClientVersion"),
    ],
)
def test_who_is_refused(header: str | None, path_version: str | None, code: str) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        client_of(header, path_version)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_who_is_sent_pieces() -> None:
    chunks = {client_of(f"npm-{version}").understands_chunks for version in ("1.28.0", "2.0.0")}
    assert chunks == {True}
    assert not client_of("npm-1.27.9").understands_chunks
    assert not client_of("python-1.28.0").understands_chunks

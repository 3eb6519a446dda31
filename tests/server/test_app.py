"""The application as a whole: it opens nothing twice, and closes what it was given."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.backends.base import NOBODY
from mastra_convex.errors import StorageClosedError
from tests.server.support import served, thread


def test_it_closes_its_backend(tmp_path: Path) -> None:
    with served(tmp_path / "a.db") as server:
        server.value("mutation", "threads:save", thread("t"))
        backend = server.backend
    with pytest.raises(StorageClosedError):
        asyncio.run(backend.query("threads:get", {"id": "t"}, NOBODY, lambda value: value))


def test_sockets_and_requests_are_told_apart() -> None:
    with served() as server:
        assert server.client.get("/api/sync").status_code == 404
        assert server.client.get("/api/1.48.0/sync").status_code == 404


def test_mutations_that_were_accepted_are_done_though_the_client_has_gone(tmp_path: Path) -> None:
    with served(tmp_path / "a.db") as server:
        with server.socket() as peer:
            for number in range(50):
                peer.mutate("threads:save", thread(f"t{number}"))
        found: list[Any] = []
        for number in range(50):
            found.append(server.value("query", "threads:get", {"id": f"t{number}"}))
        # Read from the socket or not, they come in order: no gap.
        there = [one is not None for one in found]
        assert there == sorted(there, reverse=True)

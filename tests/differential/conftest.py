"""Mastra's store, and a clock that both stores go by."""

from collections.abc import Iterator

import pytest

from tests.differential import mastra
from tests.differential.mastra import Mastra
from tests.functions.scenarios import Clock


@pytest.fixture(scope="module")
def reference() -> Iterator[Mastra]:
    """Mastra's in-memory store, in a process of its own."""
    with mastra.started() as store:
        yield store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of both."""
    return Clock(now=1_700_000_000_000).install(monkeypatch)

"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.flaky import Connections, hooked
from tests.engine.support import Processes


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts processes, and ends them with the test."""
    started = Processes()
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Connections that do what the test says."""
    with hooked() as found:
        yield found

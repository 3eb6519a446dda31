"""What a function sees besides the database: who is asking."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from mastra_convex.engine.context import SERVICE, Principal


def test_the_service_is_the_principal_without_a_resource() -> None:
    assert SERVICE.is_service
    assert Principal() == SERVICE
    assert not Principal("ann").is_service
    assert not Principal("").is_service
    assert Principal("ann") == Principal("ann") != Principal("bob")


def test_a_principal_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        SERVICE.resource_id = "ann"  # type: ignore[misc]

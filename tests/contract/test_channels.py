"""Channels: installations of agents on chat platforms, and the platforms' configurations."""

import pytest

from mastra_convex import ChannelConfig, ChannelInstallation, ConvexStorage, InvalidArgumentError
from tests.contract.records import T0, at, ids, installation, now


def test_what_is_missing_is_none(storage: ConvexStorage) -> None:
    assert storage.get_installation("i") is None
    assert storage.get_installation_by_agent("slack", "a") is None
    assert storage.get_installation_by_webhook_id("h") is None
    assert storage.list_installations("slack") == []
    assert storage.get_config("slack") is None
    storage.delete_installation("i")
    storage.delete_config("slack")


def test_an_installation_comes_back(storage: ConvexStorage) -> None:
    given = installation(webhookId="h", configHash="c", error="no", updatedAt=at(1), custom=1)
    saved = storage.save_installation(given)
    assert saved.to_dict() == given
    assert storage.get_installation("i") == saved
    assert storage.get_installation_by_agent("slack", "a") == saved
    assert storage.get_installation_by_webhook_id("h") == saved
    assert storage.list_installations("slack") == [saved]
    model = ChannelInstallation(
        id="m", platform="discord", agent_id="a", status="pending", data={"$t": 1}
    )
    assert storage.save_installation(model).data == {"$t": 1}
    for wrong in ({"status": "on"}, {"data": "token"}, {"agentId": None}):
        with pytest.raises(InvalidArgumentError):
            storage.save_installation(installation(**wrong))
    assert storage.get_installation("i") == saved


def test_saving_again_replaces_all_but_creation(storage: ConvexStorage) -> None:
    first = storage.save_installation(installation(webhookId="h"))
    assert storage.save_installation(installation(webhookId="h")) == first
    second = storage.save_installation(installation(status="error", createdAt=at(5)))
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    assert second.webhook_id is None
    assert storage.get_installation_by_webhook_id("h") is None


def test_the_best_installation_of_an_agent_is_found(storage: ConvexStorage) -> None:
    for name, status in (("a", "error"), ("b", "error"), ("c", "pending"), ("d", "active")):
        storage.save_installation(installation(name, status=status))
        best = storage.get_installation_by_agent("slack", "a")
        assert best is not None
        assert best.id == {"b": "a"}.get(name, name)
    storage.save_installation(installation("e", createdAt=at(-1)))
    storage.delete_installation("d")
    assert ids(storage.list_installations("slack")) == ["e", "a", "b", "c"]


def test_a_platform_has_one_configuration(storage: ConvexStorage) -> None:
    before = int(now())
    saved = storage.save_config({"platform": "slack", "data": {"token": 1}, "custom": 1})
    assert (saved.platform, saved.data, saved.extra) == ("slack", {"token": 1}, {"custom": 1})
    assert saved.updated_at.timestamp() * 1000 >= before
    assert storage.get_config("slack") == saved
    changed = storage.save_config(ChannelConfig(id="slack", data={"token": 2}))
    assert storage.get_config("slack") == changed
    assert changed.created_at == saved.created_at
    storage.save_config({"platform": "discord", "data": {}, "updatedAt": T0})
    storage.delete_config("slack")
    assert storage.get_config("slack") is None
    assert storage.get_config("discord") is not None
    with pytest.raises(InvalidArgumentError, match="platform and id differ"):
        storage.save_config({"platform": "slack", "id": "x", "data": {}})

"""Channels: agents on chat platforms. What is in them is secret."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex.models_jobs import ChannelConfig, ChannelInstallation
from mastra_convex.reads import channels as reads
from mastra_convex.updates_jobs import text


class AsyncChannels(AsyncStorageBase):
    """The operations on channels."""

    async def save_installation(
        self, installation: ChannelInstallation | Mapping[str, Any]
    ) -> ChannelInstallation:
        """Save an installation by its id, replacing what was saved; `created_at` stays.

        Returns it as it is stored. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        saved = await self._mutate(
            "save_installation",
            "channels:saveInstallation",
            lambda: {"installation": ChannelInstallation.encode(installation)},
        )
        return ChannelInstallation.of(saved)

    async def get_installation(self, installation_id: str) -> ChannelInstallation | None:
        """The installation, or None."""
        read = reads.installation(installation_id)
        return cast("ChannelInstallation | None", await self._run("get_installation", read))

    async def get_installation_by_agent(
        self, platform: str, agent_id: str
    ) -> ChannelInstallation | None:
        """The agent's installation: an active one, else one that is pending, else one, or None."""
        read = reads.installation_by(platform=platform, agent_id=agent_id)
        found = await self._run("get_installation_by_agent", read)
        return cast("ChannelInstallation | None", found)

    async def get_installation_by_webhook_id(self, webhook_id: str) -> ChannelInstallation | None:
        """The installation that a webhook belongs to, or None."""
        read = reads.installation_by(webhook_id=webhook_id)
        found = await self._run("get_installation_by_webhook_id", read)
        return cast("ChannelInstallation | None", found)

    async def list_installations(self, platform: str) -> list[ChannelInstallation]:
        """All installations on a platform, oldest first."""
        read = reads.installations(platform)
        return cast("list[ChannelInstallation]", await self._run("list_installations", read))

    async def delete_installation(self, installation_id: str) -> None:
        """Delete an installation. A missing one is fine."""
        make = partial(text, installation_id, "installation_id")
        await self._mutate("delete_installation", "channels:removeInstallation", make)

    async def save_config(self, config: ChannelConfig | Mapping[str, Any]) -> ChannelConfig:
        """Save the configuration of a platform, replacing what was saved.

        Returns it as it is stored. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        saved = await self._mutate(
            "save_config", "channels:saveConfig", lambda: {"config": ChannelConfig.encode(config)}
        )
        return ChannelConfig.of(saved)

    async def get_config(self, platform: str) -> ChannelConfig | None:
        """The configuration of a platform, or None."""
        return cast("ChannelConfig | None", await self._run("get_config", reads.config(platform)))

    async def delete_config(self, platform: str) -> None:
        """Delete the configuration of a platform. A missing one is fine."""
        make = partial(text, platform, "platform")
        await self._mutate("delete_config", "channels:removeConfig", make)

"""Schedules: what is to be fired when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_jobs import Schedule, ScheduleTrigger
from mastra_convex.reads import schedules as reads
from mastra_convex.updates_jobs import next_fire, schedule_patch, text, with_id


class AsyncSchedules(AsyncStorageBase):
    """The operations on schedules and their history."""

    async def create_schedule(self, schedule: Schedule | Mapping[str, Any]) -> Schedule:
        """Add a schedule; the same one again is fine. Returns it as it is stored.

        Raises `ConflictError` for another one of that id, `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        created = await self._mutate(
            "create_schedule", "schedules:create", lambda: {"schedule": Schedule.encode(schedule)}
        )
        return Schedule.of(created)

    async def get_schedule(self, schedule_id: str) -> Schedule | None:
        """The schedule, or None."""
        return cast("Schedule | None", await self._run("get_schedule", reads.schedule(schedule_id)))

    async def list_schedules(
        self, filter: Mapping[str, str | None] | None = None
    ) -> list[Schedule]:
        """All schedules, oldest first, or those that match all of `filter`.

        It may have `status`, `workflowId`, `ownerType` and `ownerId`; an owner of None means
        schedules that have none. Raises `InvalidArgumentError`.
        """
        return cast("list[Schedule]", await self._run("list_schedules", reads.schedules(filter)))

    async def list_due_schedules(
        self, now: datetime | float | str, limit: int | None = None
    ) -> list[Schedule]:
        """The active schedules to be fired at `now` or before, the longest overdue first.

        Raises `InvalidArgumentError`.
        """
        read = reads.due_schedules(now, limit)
        return cast("list[Schedule]", await self._run("list_due_schedules", read))

    async def update_schedule(self, schedule_id: str, patch: Mapping[str, Any]) -> Schedule:
        """Change some fields of a schedule; None takes one away. Returns it as it is stored.

        `created_at`, and what was fired last, cannot be changed. Raises `NotFoundError`,
        `InvalidArgumentError`, `InvalidPayloadError`.
        """
        make = partial(schedule_patch, schedule_id, patch)
        return Schedule.of(await self._mutate("update_schedule", "schedules:update", make))

    async def update_schedule_next_fire(
        self,
        schedule_id: str,
        expected_next_fire_at: datetime | float | str,
        new_next_fire_at: datetime | float | str,
        last_fire_at: datetime | float | str,
        last_run_id: str,
    ) -> bool:
        """Claim a fire: of many that expect the same time, one gets True and may fire.

        False for a schedule that has moved on, is paused, or is missing. Raises
        `InvalidArgumentError`.
        """
        make = partial(
            next_fire,
            schedule_id,
            expected_next_fire_at,
            new_next_fire_at,
            last_fire_at,
            last_run_id,
        )
        claimed = await self._mutate("update_schedule_next_fire", "schedules:advance", make)
        return cast("bool", claimed)

    async def delete_schedule(self, schedule_id: str) -> None:
        """Delete a schedule with its history. A missing one is fine."""
        make = partial(text, schedule_id, "schedule_id")
        await self._mutate("delete_schedule", "schedules:remove", make)

    async def record_trigger(self, trigger: ScheduleTrigger | Mapping[str, Any]) -> ScheduleTrigger:
        """Record what a schedule has fired; without an id it gets a random one.

        Returns it as it is stored. Raises `NotFoundError` if there is no such schedule,
        `InvalidArgumentError`, `InvalidPayloadError`.
        """
        make = partial(with_id, ScheduleTrigger, trigger, "trigger")
        recorded = await self._mutate("record_trigger", "schedules:recordTrigger", make)
        return ScheduleTrigger.of(recorded)

    async def list_triggers(
        self,
        schedule_id: str,
        *,
        limit: int | None = None,
        from_actual_fire_at: datetime | float | str | None = None,
        to_actual_fire_at: datetime | float | str | None = None,
    ) -> list[ScheduleTrigger]:
        """What a schedule has fired, newest first; the second bound is not included.

        Raises `InvalidArgumentError`.
        """
        read = reads.triggers(schedule_id, limit, from_actual_fire_at, to_actual_fire_at)
        return cast("list[ScheduleTrigger]", await self._run("list_triggers", read))

    def watch_schedules(
        self, filter: Mapping[str, str | None] | None = None
    ) -> AsyncWatch[list[Schedule]]:
        """The schedules that match, oldest first, now and after each change."""
        return self._watch("watch_schedules", partial(reads.schedules, filter))

    def subscribe_to_schedules(
        self,
        callback: Callable[[list[Schedule]], Any],
        filter: Mapping[str, str | None] | None = None,
    ) -> Unsubscribe:
        """Call `callback` with the schedules that match, now and after each change."""
        read = partial(reads.schedules, filter)
        return self._subscribe("subscribe_to_schedules", read, callback)

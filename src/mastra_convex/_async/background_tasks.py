"""Background tasks: tool calls that go on after their agent has answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

from mastra_convex._async.base import AsyncStorageBase
from mastra_convex._async.subscription import AsyncWatch
from mastra_convex.backends.base import Unsubscribe
from mastra_convex.models_jobs import BackgroundTask, BackgroundTaskPage
from mastra_convex.reads import background_tasks as reads
from mastra_convex.updates_jobs import task_update, text


class AsyncBackgroundTasks(AsyncStorageBase):
    """The operations on background tasks."""

    async def create_task(self, task: BackgroundTask | Mapping[str, Any]) -> BackgroundTask:
        """Add a task; the same one again is fine. Returns it as it is stored.

        Raises `ConflictError` for another one of that id, `InvalidArgumentError`,
        `InvalidPayloadError`.
        """
        created = await self._mutate(
            "create_task", "backgroundTasks:create", lambda: {"task": BackgroundTask.encode(task)}
        )
        return BackgroundTask.of(created)

    async def update_task(
        self, task_id: str, update: Mapping[str, Any], *, expected_status: str | None = None
    ) -> bool:
        """Change some fields of a task; None takes one away. Returns whether it was changed.

        With `expected_status`, only if the task has it: of many that expect the same, one gets
        True. False also for a missing task. Raises `InvalidArgumentError`, `InvalidPayloadError`.
        """
        make = partial(task_update, task_id, update, expected_status)
        return cast("bool", await self._mutate("update_task", "backgroundTasks:update", make))

    async def get_task(self, task_id: str) -> BackgroundTask | None:
        """The task, or None."""
        return cast("BackgroundTask | None", await self._run("get_task", reads.task(task_id)))

    async def list_tasks(
        self,
        *,
        status: str | Sequence[str] | None = None,
        agent_id: str | None = None,
        thread_id: str | None = None,
        resource_id: str | None = None,
        run_id: str | None = None,
        tool_name: str | None = None,
        tool_call_id: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        date_filter_by: str = "createdAt",
        order_by: str = "createdAt",
        order_direction: str = "asc",
        page: int = 0,
        per_page: int | bool = 100,
        include_total: bool = True,
    ) -> BackgroundTaskPage:
        """A page of tasks that meet all of the criteria given, the oldest first.

        `to_date` itself is not included; both dates, and the order, may be by another date than
        `createdAt`. Raises `InvalidArgumentError`.
        """
        criteria = {
            "status": status,
            "agent_id": agent_id,
            "thread_id": thread_id,
            "resource_id": resource_id,
            "run_id": run_id,
            "tool_name": tool_name,
            "tool_call_id": tool_call_id,
            "from_date": from_date,
            "to_date": to_date,
            "date_filter_by": date_filter_by,
        }
        read = reads.tasks(criteria, order_by, order_direction, page, per_page, include_total)
        return cast("BackgroundTaskPage", await self._run("list_tasks", read))

    async def delete_task(self, task_id: str) -> None:
        """Delete a task. A missing one is fine."""
        await self._mutate(
            "delete_task", "backgroundTasks:remove", lambda: {"tasks": [text(task_id, "task_id")]}
        )

    async def delete_tasks(
        self,
        *,
        status: str | Sequence[str] | None = None,
        agent_id: str | None = None,
        thread_id: str | None = None,
        resource_id: str | None = None,
        run_id: str | None = None,
        tool_name: str | None = None,
        tool_call_id: str | None = None,
        from_date: datetime | float | str | None = None,
        to_date: datetime | float | str | None = None,
        date_filter_by: str = "createdAt",
    ) -> None:
        """Delete the tasks that meet all of the criteria given, a batch at a time.

        A task whose status has changed since it was found is left alone. Raises
        `InvalidArgumentError`.
        """
        criteria = {
            "status": status,
            "agent_id": agent_id,
            "thread_id": thread_id,
            "resource_id": resource_id,
            "run_id": run_id,
            "tool_name": tool_name,
            "tool_call_id": tool_call_id,
            "from_date": from_date,
            "to_date": to_date,
            "date_filter_by": date_filter_by,
        }
        for batch in await self._run("delete_tasks", reads.deletions(criteria)):
            await self._mutate("delete_tasks", "backgroundTasks:remove", partial(dict, batch))

    async def get_running_count(self) -> int:
        """How many tasks are running."""
        return cast("int", await self._run("get_running_count", reads.running()))

    async def get_running_count_by_agent(self, agent_id: str) -> int:
        """How many tasks of an agent are running."""
        operation = "get_running_count_by_agent"
        return cast("int", await self._run(operation, reads.running_of(agent_id)))

    def watch_task(self, task_id: str) -> AsyncWatch[BackgroundTask | None]:
        """The task now, then after each change; None while there is none."""
        return self._watch("watch_task", partial(reads.task, task_id))

    def subscribe_to_task(
        self, task_id: str, callback: Callable[[BackgroundTask | None], Any]
    ) -> Unsubscribe:
        """Call `callback` with the task now and after each change; returns how to stop."""
        return self._subscribe("subscribe_to_task", partial(reads.task, task_id), callback)

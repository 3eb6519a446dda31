"""What `mastra-convex import` does with a snapshot of a deployment of `@mastra/convex`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import click

from mastra_convex import (
    AsyncConvexStorage,
    BackgroundTask,
    ChannelConfig,
    ChannelInstallation,
    ConflictError,
    InvalidArgumentError,
    LimitExceededError,
    Message,
    NotFoundError,
    ObservationalMemory,
    Resource,
    Schedule,
    ScheduleTrigger,
    Score,
    Thread,
    WorkflowRun,
)
from mastra_convex.cli.text import counted, one_line
from mastra_convex.importers.convex_snapshot import Row, Snapshot
from mastra_convex.importers.mastra_rows import LEFT, TABLES, record_of

# Rows that are saved together, in one transaction if they fit.
_BATCH = 200
_BYTES = 4 * 1024 * 1024
# What is wrong with a row, and not with the database.
_REFUSALS = (InvalidArgumentError, NotFoundError, ConflictError, LimitExceededError)

_KINDS: dict[str, tuple[Any, str, str]] = {
    "mastra_threads": (Thread, "save_thread", "thread"),
    "mastra_messages": (Message, "save_message", "message"),
    "mastra_resources": (Resource, "save_resource", "resource"),
    "mastra_workflow_snapshot": (WorkflowRun, "save_workflow_run", "workflow run"),
    "mastra_scorers": (Score, "save_score", "score"),
    "mastra_schedules": (Schedule, "create_schedule", "schedule"),
    "mastra_schedule_triggers": (ScheduleTrigger, "record_trigger", "schedule trigger"),
    "mastra_background_tasks": (BackgroundTask, "create_task", "background task"),
    "mastra_channel_installations": (
        ChannelInstallation,
        "save_installation",
        "channel installation",
    ),
    "mastra_channel_config": (ChannelConfig, "save_config", "channel config"),
    "mastra_observational_memory": (
        ObservationalMemory,
        "insert_observational_memory_record",
        "generation of observational memory",
    ),
}


class SnapshotImporter:
    """Saves the rows of a snapshot; what cannot be taken is said on stderr, row by row."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._taken = [table for table in TABLES if table in snapshot.tables]
        self._saved: Counter[str] = Counter()
        self.refused = 0
        # Of text that is read: threads are read a second time.
        read_again = ["mastra_threads"] if "mastra_threads" in self._taken else []
        self.bytes = sum(snapshot.tables[table] for table in [*self._taken, *read_again])

    def summary(self) -> str:
        """What has been saved so far."""
        some = [counted(self._saved[table], _KINDS[table][2]) for table in self._taken]
        return ", ".join(some) or "nothing"

    def left(self) -> Iterator[str]:
        """What else is in the snapshot, in lines for people."""
        others = self._snapshot.tables.keys() - TABLES
        of_mastra = sorted(others.intersection(LEFT))
        if of_mastra:
            yield f"Left, as there is nothing like it here: {', '.join(of_mastra)}"
        if unknown := sorted(others.difference(LEFT)):
            yield f"Left, as they are not Mastra's: {', '.join(map(one_line, unknown))}"

    async def run(self, storage: AsyncConvexStorage, advance: Callable[[int], None]) -> None:
        """Save all rows. Raises ImportSourceError for a damaged snapshot."""
        for table in self._taken:
            await self._table(storage, table, advance, self._count)
        if "mastra_threads" in self._taken:
            # Messages that are saved move their thread on; its time is to be the snapshot's.
            await self._table(storage, "mastra_threads", advance, lambda *_: None)

    async def _table(
        self,
        storage: AsyncConvexStorage,
        table: str,
        advance: Callable[[int], None],
        tell: Callable[[str, Row, BaseException | None], None],
    ) -> None:
        model, method, _ = _KINDS[table]

        async def save(row: Row) -> None:
            save_record: Callable[[Any], Awaitable[Any]] = getattr(storage, method)
            await save_record(model.of(record_of(table, row.value)))

        for batch in _batches(self._snapshot.rows(table)):
            # They are queued in this order, and share a transaction.
            outcomes = await asyncio.gather(*map(save, batch), return_exceptions=True)
            for row, outcome in zip(batch, outcomes):
                if outcome is not None and not isinstance(outcome, _REFUSALS):
                    raise outcome
                tell(table, row, outcome)
            advance(sum(row.bytes + 1 for row in batch))

    def _count(self, table: str, row: Row, refusal: BaseException | None) -> None:
        if refusal is None:
            self._saved[table] += 1
            return
        self.refused += 1
        name = row.value.get("id", row.value.get("_id"))
        where = f"{table} {name!r:.80}, line {row.line}"
        click.echo(f"not taken: {one_line(f'{where}: {refusal}')}", err=True)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows, some at a time, bounded in number and in bytes."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.bytes
        if len(batch) == _BATCH or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch

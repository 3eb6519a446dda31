"""`mastra-convex import`: conversations in OpenAI's chat format, or a snapshot, into a database."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mastra_convex import AsyncConvexStorage, ConvexStorageError
from mastra_convex.cli import database_option
from mastra_convex.cli.interrupt import on_ctrl_c
from mastra_convex.cli.text import counted, fail, one_line

if TYPE_CHECKING:
    from mastra_convex.importers.openai_chat import Conversation, ConversationMapping

T = TypeVar("T")
# Conversations that are being saved at a time: enough to share transactions, few enough to hold.
_IN_FLIGHT = 32
_BYTES_IN_FLIGHT = 4 * 1024 * 1024
# What one transaction takes.
_BATCH = 1000
_TABLES = {
    "threads": "thread",
    "messages": "message",
    "evals": "eval",
    "workflowRuns": "workflow run",
}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@database_option
@click.option(
    "--messages",
    metavar="FIELD",
    default="messages",
    show_default=True,
    help="The field that holds the messages; dots lead into nested ones.",
)
@click.option("--metadata", metavar="FIELD", help="The field that tells more about the run.")
@click.option("--score", metavar="FIELD", help="The field with the score; it becomes an eval.")
@click.option("--id", metavar="TEMPLATE", help='Thread ids, such as "airline-{task_id}-{trial}".')
@click.option("--resource", metavar="TEMPLATE", help="Who the threads belong to.")
@click.option("--title", metavar="TEMPLATE", help="Titles of the threads.")
@click.option("--agent", metavar="NAME", help="The agent that the scores are about.")
@click.option("--workflow", metavar="NAME", help="Save a run of this workflow for each record.")
@click.pass_context
def command(context: click.Context, /, file: str, database: str, **fields: Any) -> None:
    """Take conversations in OpenAI's chat format from FILE into the database.

    FILE is a JSON array of conversations, one object, or JSON Lines; it is read piece by piece and
    may be of any size. A TEMPLATE is text with fields of the record: "{task_id}-{trial}",
    "{info[task][user_id]}". Ids make an import repeatable: run it again after an interruption, and
    nothing is there twice. Files whose records have no ids need --id, each its own.

    FILE may also be a ZIP that `npx convex export` has written from a deployment of Mastra's own
    @mastra/convex. All of Mastra's records in it are taken, under their ids and with their times;
    rows that cannot be are named, with the reason. The options below --db are not for it.
    """
    if _is_archive(file):
        default = click.core.ParameterSource.DEFAULT
        for name in fields:
            if context.get_parameter_source(name) is not default:
                raise click.UsageError(f"--{name} is not for a snapshot")
        _take_snapshot(file, database)
        return
    from mastra_convex.importers.openai_chat import ConversationMapping
    from mastra_convex.importers.reading import ImportSourceError

    importer = _Importer(file)
    try:
        # The options that are left are named after its fields.
        mapping = ConversationMapping(**fields)
        held = asyncio.run(importer.run(database, mapping))
    except ImportSourceError as error:
        error.path = error.path or file
        importer.tell_kept()
        fail(str(error), "IMPORT_SOURCE")
    except ConvexStorageError:
        importer.tell_kept()
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        importer.tell_kept()
        raise KeyboardInterrupt from None
    click.echo(f"Imported {importer.summary()}")
    if importer.messages["tool"]:
        click.echo("Results of tools are kept with their calls, in the assistant's messages.")
    counts = [counted(held[table], noun) for table, noun in _TABLES.items()]
    click.echo(f"{one_line(database)} now holds {', '.join(counts)}")


def _is_archive(file: str) -> bool:
    """Whether the file is a ZIP, or says that it is."""
    with open(file, "rb") as opened:
        return opened.read(2) == b"PK" or file.lower().endswith(".zip")


def _take_snapshot(file: str, database: str) -> None:
    from mastra_convex.cli.import_snapshot import SnapshotImporter
    from mastra_convex.importers.convex_snapshot import Snapshot
    from mastra_convex.importers.reading import ImportSourceError

    importer = None

    async def run(snapshot: Snapshot) -> None:
        nonlocal importer
        async with AsyncConvexStorage(database) as storage:
            await storage.get_format_version()
            importer = SnapshotImporter(snapshot)
            with _progress(importer.bytes) as advance:
                await importer.run(storage, advance)

    def tell_kept() -> None:
        if importer is not None:
            click.echo(f"stopped; what was imported stays: {importer.summary()}", err=True)

    try:
        with Snapshot(file) as snapshot:
            asyncio.run(_until_ctrl_c(run(snapshot)))
    except ImportSourceError as error:
        tell_kept()
        fail(str(error), "IMPORT_SOURCE")
    except ConvexStorageError:
        tell_kept()
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        tell_kept()
        raise KeyboardInterrupt from None
    assert importer is not None
    click.echo(f"Imported {importer.summary()}")
    for line in importer.left():
        click.echo(line)
    if importer.refused:
        rows = counted(importer.refused, "row")
        fail(f"{rows} could not be taken, as is said above; all else was", "IMPORT_SOURCE")


async def _until_ctrl_c(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives, unless Ctrl-C cancels it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def cancel() -> None:
        task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # Wakes the loop, which may be waiting.

    with on_ctrl_c(cancel), _few_collections():
        return await work


class _Importer:
    """Reads records and saves them, many at a time; `messages` counts by the source's roles."""

    def __init__(self, file: str) -> None:
        self.file = file
        status = os.stat(file)
        self._bytes = status.st_size
        # Where the source tells no times, a second run must find the same ones.
        self._modified = status.st_mtime_ns // 1_000_000
        self.conversations = 0
        self.messages: Counter[str] = Counter()
        self._saving = _InFlight()
        self._ids: dict[str, int] = {}

    def summary(self) -> str:
        """What has been saved so far."""
        roles = [f"{count:,} {one_line(role)}" for role, count in self.messages.most_common()]
        total = counted(sum(self.messages.values()), "message")
        shown = counted(self.conversations, "conversation")
        return f"{shown} with {total}" + (f": {', '.join(roles)}" if roles else "")

    def tell_kept(self) -> None:
        """Say on stderr what an import that did not come to its end leaves behind."""
        if self.conversations:
            click.echo(f"stopped; what was imported stays: {self.summary()}", err=True)

    async def run(self, database: str, mapping: ConversationMapping) -> dict[str, int]:
        """Import the whole file; returns how many records each table holds then."""
        return await _until_ctrl_c(self._run(database, mapping))

    async def _run(self, database: str, mapping: ConversationMapping) -> dict[str, int]:
        async with AsyncConvexStorage(database) as storage:
            # Opens the database: what is wrong with it is no record's fault.
            await storage.get_format_version()
            with _progress(self._bytes) as advance:
                try:
                    await self._read(storage, mapping, advance)
                finally:
                    # Neither an error nor Ctrl-C leaves a conversation half saved.
                    await self._saving.settled()
            return {table.table: table.records for table in await storage.get_statistics()}

    async def _read(
        self,
        storage: AsyncConvexStorage,
        mapping: ConversationMapping,
        advance: Callable[[int], None],
    ) -> None:
        from mastra_convex.importers.openai_chat import convert
        from mastra_convex.importers.reading import read_records

        position = 0
        for record in read_records(self.file):
            number = record.index + 1
            conversation = convert(
                record.value, index=record.index, mapping=mapping, created_at=self._modified
            )
            self._check_id(conversation.thread["id"], number)
            cost, position = record.bytes_read - position, record.bytes_read
            await self._saving.room(cost)
            self._saving.start(self._save(storage, number, conversation), cost)
            advance(cost)
        await self._saving.settled()
        self._saving.check()
        advance(max(0, self._bytes - position))  # What stands behind the last record.

    def _check_id(self, thread_id: str, number: int) -> None:
        """Refuse an id that this file has had: one conversation would overwrite the other."""
        from mastra_convex.importers.reading import ImportSourceError

        first = self._ids.setdefault(thread_id, number)
        if first != number:
            raise ImportSourceError(
                f"the thread id {thread_id!r} is that of record {first} too",
                "Choose a template for --id that tells them apart",
                record=number,
            )

    async def _save(
        self, storage: AsyncConvexStorage, number: int, conversation: Conversation
    ) -> None:
        try:
            await storage.save_thread(conversation.thread)
            saves: list[Coroutine[Any, Any, object]] = [
                _save_messages(storage, conversation.messages)
            ]
            if conversation.evaluation is not None:
                saves.append(storage.save_eval(conversation.evaluation))
            if conversation.workflow_run is not None:
                saves.append(storage.save_workflow_run(conversation.workflow_run))
            # Waits for all of them, so that an error leaves nothing running.
            for outcome in await asyncio.gather(*saves, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        except ConvexStorageError as error:
            # A new one: conversations that share a transaction may share its error.
            raise type(error)(f"{self.file}: record {number}: {error}", **error.data) from error
        self.conversations += 1
        self.messages.update(conversation.source_messages)


class _InFlight:
    """Tasks that run at a time, bounded in their number and in the bytes they hold."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    async def room(self, cost: int) -> None:
        """Wait until a task that holds `cost` bytes may start; raises what one has raised."""
        self.check()
        while self._tasks and (
            len(self._tasks) >= _IN_FLIGHT or self._bytes + cost > _BYTES_IN_FLIGHT
        ):
            self._ended.clear()
            await self._ended.wait()
            self.check()

    def start(self, work: Coroutine[Any, Any, None], cost: int) -> None:
        """Start a task; it holds `cost` bytes until it ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._bytes += cost
        task.add_done_callback(lambda task: self._end(task, cost))

    def _end(self, task: asyncio.Task[None], cost: int) -> None:
        self._tasks.discard(task)
        self._bytes -= cost
        self._ended.set()
        if not task.cancelled() and self._error is None:
            self._error = task.exception()

    def check(self) -> None:
        """Raise the first error of a task, if there was one."""
        if self._error is not None:
            raise self._error

    async def settled(self) -> None:
        """Wait until every task has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _save_messages(storage: AsyncConvexStorage, messages: list[dict[str, Any]]) -> None:
    for start in range(0, len(messages), _BATCH):
        await storage.save_messages(messages[start : start + _BATCH])


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for cycles rarely: records are many objects without one, and it takes a tenth longer."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, to be called with bytes as they are read; elsewhere nothing is shown."""
    if not total or not sys.stderr or not sys.stderr.isatty():
        yield lambda _bytes: None
        return
    step = max(1, total // 200)
    with click.progressbar(
        length=total, label="Importing", file=sys.stderr, update_min_steps=step
    ) as bar:
        yield bar.update

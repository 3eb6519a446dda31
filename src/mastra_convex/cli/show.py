"""`mastra-convex show`: lists threads, prints one conversation, or counts what the file holds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import asdict

import click

from mastra_convex import (
    ConvexStorage,
    FileUnavailableError,
    NotFoundError,
    Thread,
)
from mastra_convex.cli import database_option, json_option
from mastra_convex.cli.text import (
    columns,
    counted,
    machine_json,
    moment,
    one_line,
    pad,
    readable_json,
    shorten,
    size,
    terminal_width,
)
from mastra_convex.cli.transcript import message_lines

_WIDEST_OWNER = 20
_NARROWEST_TITLE = 20


@click.command("show")
@click.argument("thread_id", metavar="[THREAD_ID]", required=False)
@database_option
@click.option("--resource", metavar="ID", help="List the threads of this resource only.")
@click.option(
    "--page", type=click.IntRange(min=0), default=0, show_default=True, help="Page of the list."
)
@click.option(
    "--per-page",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Threads on a page of the list.",
)
@click.option(
    "--last", metavar="N", type=click.IntRange(min=1), help="Only the newest messages of a thread."
)
@click.option("--full", is_flag=True, help="Show tool calls and results in full.")
@click.option("--stats", is_flag=True, help="Show records and sizes per table instead.")
@json_option
def command(
    thread_id: str | None,
    database: str,
    resource: str | None,
    page: int,
    per_page: int,
    last: int | None,
    full: bool,
    stats: bool,
    as_json: bool,
) -> None:
    """List threads, newest first, or print one conversation.

    With THREAD_ID its messages are printed, oldest first, and its evals. --stats counts what the
    file holds. No record is changed, and a file that is missing or empty stays so.
    """
    if stats and (thread_id is not None or resource is not None):
        raise click.UsageError("--stats is about the whole file; leave out the thread or resource")
    if thread_id is not None and resource is not None:
        raise click.UsageError("a thread has one resource; leave out --resource")
    _require_file(database)
    with ConvexStorage(database) as storage:
        if stats:
            _statistics(storage, database, as_json)
        elif thread_id is not None:
            _conversation(storage, thread_id, last, full, as_json)
        else:
            _threads(storage, database, resource, page, per_page, as_json)


def _require_file(database: str) -> None:
    """Refuse a file that is missing or empty: opening it would make a database of it."""
    if "://" in database:
        return
    if not os.path.exists(database):
        problem = f"there is no file {database!r}"
    elif os.path.isfile(database) and not os.path.getsize(database):
        problem = f"nothing was ever stored in {database!r}, which is empty"
    else:
        return
    raise FileUnavailableError(f"{problem}; give the path of one with --db", path=database)


def _threads(
    storage: ConvexStorage,
    database: str,
    resource: str | None,
    page: int,
    per_page: int,
    as_json: bool,
) -> None:
    found = storage.list_threads(resource, page=page, per_page=per_page)
    total = found.total or 0
    if as_json:
        listed = [thread.to_dict() for thread in found.threads]
        numbers = {"total": total, "page": page, "perPage": per_page, "hasMore": found.has_more}
        click.echo(machine_json({"threads": listed, **numbers}))
        return
    if not found.threads:
        owner = "" if resource is None else f" of {one_line(resource)}"
        click.echo(f"No threads{owner} on page {page}." if total else f"No threads{owner}.")
        return
    rows = [_row(storage, thread) for thread in found.threads]
    click.echo("\n".join(_table(rows)))
    first = page * per_page + 1
    click.echo(f"\n{first:,} to {first + len(rows) - 1:,} of {counted(total, 'thread')}.", nl=False)
    more = f" The next: --page {page + 1}." if found.has_more else ""
    click.echo(
        f"{more} One of them: mastra-convex show --db {one_line(shlex.quote(database))} THREAD_ID"
    )


def _row(storage: ConvexStorage, thread: Thread) -> tuple[str, ...]:
    messages = storage.list_messages(thread.id, per_page=1).total
    return (
        one_line(thread.id),
        shorten(thread.resource_id, _WIDEST_OWNER),
        f"{messages:>8,}",
        moment(thread.wire["updatedAt"], "%Y-%m-%d %H:%M"),
        thread.title or "",
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Lines of columns; the last one takes what the terminal has left. Ids are never cut."""
    rows = [("THREAD", "RESOURCE", "MESSAGES", "UPDATED", "TITLE"), *rows]
    widths = [max(columns(row[place]) for row in rows) for place in range(4)]
    room = max(_NARROWEST_TITLE, terminal_width() - sum(widths) - 2 * len(widths))
    for *cells, title in rows:
        padded = [pad(cell, width) for cell, width in zip(cells, widths)]
        yield "  ".join([*padded, shorten(title, room)]).rstrip()


def _conversation(
    storage: ConvexStorage, thread_id: str, last: int | None, full: bool, as_json: bool
) -> None:
    thread = storage.get_thread_by_id(thread_id)
    if thread is None:
        raise NotFoundError(f"there is no thread {thread_id!r}", table="threads", id=thread_id)
    messages = storage.get_messages(thread_id, last)
    evals = storage.list_evals(thread_id=thread_id, per_page=False, include_total=False).evals
    if as_json:
        parts = {
            "thread": thread.to_dict(),
            "messages": [message.to_dict() for message in messages],
            "evals": [evaluation.to_dict() for evaluation in evals],
        }
        click.echo(machine_json(parts))
        return
    width = terminal_width()
    count = ("the last " if last else "") + counted(len(messages), "message")
    head = f"{one_line(thread.id)}  "
    room = max(_NARROWEST_TITLE, width - columns(head))
    click.echo(f"{head}{shorten(thread.title or '', room)}".rstrip())
    click.echo(
        f"resource {one_line(thread.resource_id)}, created {moment(thread.wire['createdAt'])}, "
        f"updated {moment(thread.wire['updatedAt'])}, {count}"
    )
    if thread.metadata:
        text = "metadata " + readable_json(thread.metadata)
        click.echo(one_line(text) if full else shorten(text, width))
    for message in messages:
        click.echo("\n" + "\n".join(message_lines(message, width, full=full)))
    for evaluation in evals:
        text = f"eval by {evaluation.type} of {evaluation.agent_name}: " + readable_json(
            evaluation.data if evaluation.data is not None else evaluation.result
        )
        click.echo("\n" + (one_line(text) if full else shorten(text, width)))


def _statistics(storage: ConvexStorage, database: str, as_json: bool) -> None:
    tables = storage.get_statistics()
    version = storage.get_format_version()
    file, log = _file_sizes(database)
    if as_json:
        counts = {"formatVersion": version, "fileBytes": file, "logBytes": log}
        listed = [asdict(table) for table in tables]
        click.echo(machine_json({"file": database, **counts, "tables": listed}))
        return
    waiting = f" and {size(log)} in its write-ahead log" if log else ""
    click.echo(f"{one_line(database)}: {size(file)}{waiting}, format {version}\n")
    click.echo(f"{'TABLE':<20}{'RECORDS':>12}{'BYTES':>18}")
    for table in tables:
        click.echo(f"{table.table:<20}{table.records:>12,}{table.bytes:>18,}")


def _file_sizes(database: str) -> tuple[int, int]:
    """Bytes of the file, and of the log that holds its newest commits while it is open."""
    log = f"{database}-wal"
    return os.path.getsize(database), os.path.getsize(log) if os.path.exists(log) else 0

"""`mastra-convex tail`: threads and messages as they arrive, whichever process writes them."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event
from threading import Thread as BackgroundThread

import click

from mastra_convex import ConvexStorage, Message, StorageClosedError, Thread
from mastra_convex.cli import database_option, json_option
from mastra_convex.cli.interrupt import on_ctrl_c
from mastra_convex.cli.text import machine_json, one_line, shorten, terminal_width
from mastra_convex.cli.transcript import brief_lines, message_lines

# How many messages following begins with at the most.
_MOST = 500
_LOOK_SECONDS = 0.2


@click.command("tail")
@database_option
@click.option("--thread", "thread_id", metavar="ID", help="Follow this thread only.")
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(0, _MOST),
    default=10,
    show_default=True,
    help="How many of the newest messages to begin with.",
)
@click.option("--full", is_flag=True, help="Show messages in full, not at a glance.")
@json_option
def command(database: str, thread_id: str | None, last: int, full: bool, as_json: bool) -> None:
    """Show threads and messages as they arrive, until Ctrl-C.

    Those of other processes too. Every message is shown once, when it is new. A file that is
    missing is created, and waited for.
    """
    # Ctrl-C is no failure: there is no other end.
    with suppress(KeyboardInterrupt), ConvexStorage(database) as storage:
        show = _JsonWriter(storage) if as_json else _TextWriter(storage, full=full)
        with suppress(StorageClosedError), _until_the_end(storage):
            if thread_id is None:
                _follow_all(storage, last, show)
            else:
                _follow_one(storage, thread_id, last, show)


class _JsonWriter:
    """For programs: one object a line, `{"thread": ...}` once and then each `{"message": ...}`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self._storage = storage
        self._told: set[str] = set()

    def thread(self, thread: Thread) -> None:
        """Write a thread."""
        self._told.add(thread.id)
        click.echo(machine_json({"thread": thread.to_dict()}))

    def message(self, message: Message) -> None:
        """Write a message, after its thread."""
        if message.thread_id not in self._told:
            thread = self._storage.get_thread_by_id(message.thread_id)
            if thread is not None:
                self.thread(thread)
        click.echo(machine_json({"message": message.to_dict()}))


class _TextWriter:
    """For people: the thread whenever it is another one than before, then its messages."""

    def __init__(self, storage: ConvexStorage, *, full: bool) -> None:
        self._storage = storage
        self._full = full
        self._current: str | None = None

    def thread(self, thread: Thread) -> None:
        """Write a line for a thread."""
        space = "" if self._current is None else "\n"
        self._current = thread.id
        title = shorten(thread.title or "", terminal_width())
        head = f"{one_line(thread.id)}  {one_line(thread.resource_id)}  {title}"
        click.echo(space + head.rstrip())

    def message(self, message: Message) -> None:
        """Write the lines of a message, below its thread."""
        if message.thread_id != self._current:
            thread = self._storage.get_thread_by_id(message.thread_id)
            if thread is not None:
                self.thread(thread)
        width = terminal_width()
        if self._full:
            lines = message_lines(message, width, full=True)
        else:
            lines = brief_lines(message, width)
        click.echo("\n".join(lines))


def _follow_all(storage: ConvexStorage, last: int, show: _JsonWriter | _TextWriter) -> None:
    for record in storage.follow(last):
        if isinstance(record, Message):
            show.message(record)
        else:
            show.thread(record)


def _follow_one(
    storage: ConvexStorage, thread_id: str, last: int, show: _JsonWriter | _TextWriter
) -> None:
    """Values of a subscription are whole lists: what is not known by its id is new."""
    known: set[str] | None = None
    with storage.watch_thread_messages(thread_id) as values:
        for messages in values:
            new = messages if known is None else [m for m in messages if m.id not in known]
            new = sorted(new, key=lambda message: message.seq or 0)
            if known is None:
                new = new[max(0, len(new) - last) :]
            known = {message.id for message in messages}
            for message in new:
                show.message(message)


@contextmanager
def _until_the_end(storage: ConvexStorage) -> Iterator[None]:
    """Closes the storage, and so ends the following, on Ctrl-C or when nobody reads our output."""
    end = Event()

    def wait() -> None:
        while not end.wait(_LOOK_SECONDS):
            if _unread():
                break
        storage.close()

    BackgroundThread(target=wait, name="mastra-convex-tail-end", daemon=True).start()
    with on_ctrl_c(end.set):
        yield


def _unread() -> bool:
    """Whether stdout is a pipe that nobody reads: between messages no write fails and tells it."""
    try:
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))
    except (AttributeError, OSError, ValueError):
        return False  # A platform without poll, or no real output.

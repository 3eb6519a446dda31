"""`mastra-convex tail`: threads and messages as they arrive, whichever process writes them."""

from __future__ import annotations

import select
import sys
from functools import partial

import click

from mastra_convex import ConvexStorage, Message, Thread, Watch
from mastra_convex.cli import database_option, json_option
from mastra_convex.cli.follow import Follower, Show
from mastra_convex.cli.text import machine_json, one_line, shorten, terminal_width
from mastra_convex.cli.transcript import brief_lines, message_lines

# A message may leave its thread as the watch sees it: the second of one millisecond, or any when
# the thread's time was set by hand to one in the future.
_LOOK_ANYWAY_SECONDS = 0.5


@click.command("tail")
@database_option
@click.option("--thread", "thread_id", metavar="ID", help="Follow this thread only.")
@click.option(
    "--last",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Messages to begin with: the newest of the threads that changed last.",
)
@click.option("--full", is_flag=True, help="Show messages in full, not at a glance.")
@json_option
def command(database: str, thread_id: str | None, last: int, full: bool, as_json: bool) -> None:
    """Show threads and messages as they arrive, until Ctrl-C.

    Those of other processes too. Every message is shown once, when it is new. A file that is
    missing is created, and waited for.
    """
    show = _write_json() if as_json else _write_text(full=full)
    try:
        with ConvexStorage(database) as storage:
            _follow(storage, thread_id, last, show)
    except KeyboardInterrupt:
        return  # It has no other end, so this is no failure.


def _follow(storage: ConvexStorage, thread_id: str | None, last: int, show: Show) -> None:
    changes: Watch[list[Thread]] | Watch[list[Message]] = (
        storage.watch_threads()
        if thread_id is None
        else storage.watch_thread_messages(thread_id, last=1)
    )
    with changes:
        # Subscribed before the first look, so that nothing falls between the two.
        changes.next()
        follower = Follower(storage, show, thread_id)
        follower.begin(last)
        while not _reader_gone():
            follower.look()
            try:
                changes.next(timeout=_LOOK_ANYWAY_SECONDS)
            except TimeoutError:
                continue


def _write_text(*, full: bool) -> Show:
    """For people: the thread whenever it is another one than before, then its messages."""
    current: str | None = None

    def show(thread: Thread, message: Message | None) -> None:
        nonlocal current
        width, lines = terminal_width(), []
        if thread.id != current:
            lines += [] if current is None else [""]
            title = shorten(thread.title or "", width)
            lines.append(f"{one_line(thread.id)}  {one_line(thread.resource_id)}  {title}".rstrip())
            current = thread.id
        if message is not None:
            render = partial(message_lines, full=True) if full else brief_lines
            lines += render(message, width)
        if lines:
            click.echo("\n".join(lines))

    return show


def _write_json() -> Show:
    """For programs: one object a line, `{"thread": ...}` once and then each `{"message": ...}`."""
    told: set[str] = set()

    def show(thread: Thread, message: Message | None) -> None:
        if thread.id not in told:
            told.add(thread.id)
            click.echo(machine_json({"thread": thread.to_dict()}))
        if message is not None:
            click.echo(machine_json({"message": message.to_dict()}))

    return show


def _reader_gone() -> bool:
    """Whether stdout is a pipe that nobody reads any more: between messages nothing else tells."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False  # A platform without poll, or no real stdout.

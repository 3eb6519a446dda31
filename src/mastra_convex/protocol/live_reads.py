"""Read programs that are kept live over a session: their calls are its queries.

A program is run again when a call of its has another outcome. All outcomes of a session are of one
moment, so what a program returns is, too. It waits for a call that is new to the session; the next
transition may bring that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from mastra_convex.protocol.client_session import ClientSession
from mastra_convex.values.outcome import Outcome

logger = logging.getLogger("mastra_convex")

Read = Generator[tuple[str, dict[str, Any]], Any, Any]


@dataclass(eq=False, slots=True)
class LiveRead:
    """One subscription: its program, where values go, and the queries that it holds."""

    read: Callable[[], Read]
    deliver: Callable[[Outcome], None]
    queries: set[int] = field(default_factory=set)
    # Until it is unsubscribed, by whatever thread.
    active: bool = True
    # Whether it has to be run; it stays so while it waits.
    due: bool = True
    # Whether it has heard anything yet.
    answered: bool = False

    def tell(self, outcome: Outcome) -> None:
        """Deliver, if it still wants to know; a receiver that raises harms no other."""
        if self.active:
            self.answered = True
            try:
                self.deliver(outcome)
            except Exception:
                logger.exception("a subscription could not be told of a change")


class LiveReads:
    """All subscriptions of one session."""

    def __init__(self, session: ClientSession, prefix: str) -> None:
        self._session = session
        self._prefix = prefix
        self._reads: dict[LiveRead, None] = {}

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, read: LiveRead) -> None:
        """Begin; delivers at once if all that it asks is known."""
        self._reads[read] = None
        self._run(read)

    def remove(self, read: LiveRead) -> None:
        """End. Does nothing for one that is not there."""
        if read in self._reads:
            del self._reads[read]
            self._release(read, set())

    def moved(self, changed: set[int]) -> None:
        """Run what the changed queries concern, and what has waited; deliver."""
        for read in list(self._reads):
            if read.due or not changed.isdisjoint(read.queries):
                self._run(read)

    def tell_all(self, error: Exception, *, unanswered: bool = False) -> None:
        """Deliver an error to all, or to those that have heard nothing yet.

        What they had before is delivered again when there is a connection.
        """
        for read in list(self._reads):
            if not (unanswered and read.answered):
                read.due = True
                read.tell(Outcome(error=error))

    def _run(self, read: LiveRead) -> None:
        """Run a program, and deliver, unless it has to wait."""
        read.due = True
        used: set[int] = set()
        outcome = self._evaluate(read, used)
        if outcome is not None:
            self._release(read, used)
            read.due = False
            read.tell(outcome)

    def _evaluate(self, read: LiveRead, used: set[int]) -> Outcome | None:
        """Run a program from its start, answering its calls from the session; notes which."""
        program = read.read()
        try:
            path, args = next(program)
            while True:
                outcome = self._ask(read, self._prefix + path, args, used)
                if outcome is None:
                    return None
                if outcome.error is not None:
                    path, args = program.throw(outcome.to_raise())
                else:
                    path, args = program.send(outcome.value)
        except StopIteration as stop:
            return Outcome(stop.value)
        except Exception as error:
            return Outcome(error=error)
        finally:
            program.close()

    def _ask(
        self, read: LiveRead, path: str, args: dict[str, Any], used: set[int]
    ) -> Outcome | None:
        query_id = self._session.hold(path, args)
        if query_id in read.queries:
            self._session.release(query_id)
        read.queries.add(query_id)
        used.add(query_id)
        return self._session.outcome(query_id)

    def _release(self, read: LiveRead, kept: set[int]) -> None:
        for query_id in read.queries - kept:
            self._session.release(query_id)
        read.queries &= kept

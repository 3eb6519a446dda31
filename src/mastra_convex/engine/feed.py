"""A feed: many reads watched by one receiver, which is told of each commit at once.

Where a subscription delivers its own value, a feed delivers reports: the timestamp of a commit and
all that has changed up to it, together. So its receiver always knows all of them as of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mastra_convex.engine.context import Principal
from mastra_convex.errors import StorageClosedError, StorageFileError
from mastra_convex.values.outcome import Outcome

if TYPE_CHECKING:
    from mastra_convex.engine.watch import LiveQueries, ReadProgram


@dataclass(frozen=True, slots=True)
class Report:
    """All reads of a feed hold at `ts`; those that are not in `changes` are as they were.

    `turn` is the newest of the receiver's questions (`Feed.ask`) that this answers.
    """

    ts: int
    turn: int
    changes: dict[int, Any] = field(default_factory=dict)


class Feed:
    """Reads under numbers of the receiver's own. All methods may be called from any thread.

    `render` makes of an outcome what the receiver wants to have, and `deliver` is given the
    reports; both are called on the live thread. A file that is in trouble is not reported: what was
    told last stays, until the file is well again.
    """

    def __init__(
        self,
        live: LiveQueries,
        render: Callable[[Outcome], Any],
        deliver: Callable[[Report], None],
    ) -> None:
        self._live = live
        self._render = render
        self._deliver = deliver
        self._changes: dict[int, Any] = {}
        self._ts = 0
        self._turn = 0
        self._unsubscribe: dict[int, Callable[[], None]] = {}

    def watch(self, reads: Iterable[tuple[int, ReadProgram, Principal | None]]) -> int:
        """Watch reads from now on; returns the turn that will have them all."""
        for number, read, principal in reads:
            self._unsubscribe[number] = self._live.subscribe(
                read, self._receiver(number), principal
            )
        return self.ask()

    def drop(self, numbers: Iterable[int]) -> None:
        """Watch these no longer."""
        for number in numbers:
            self._unsubscribe.pop(number)()

    def ask(self) -> int:
        """Have a report made that knows every commit of this moment; returns its turn."""
        return self._live.ask()

    def close(self) -> None:
        """Watch nothing any longer."""
        self._live.detach(self)
        self.drop(list(self._unsubscribe))

    def followed(self, ts: int, turn: int) -> None:
        """On the live thread: everything has been brought to `ts`."""
        if self._changes or ts != self._ts or turn != self._turn:
            changes, self._changes = self._changes, {}
            self._ts, self._turn = ts, turn
            self._deliver(Report(ts, turn, changes))

    def _receiver(self, number: int) -> Callable[[Outcome], None]:
        def receive(outcome: Outcome) -> None:
            if not isinstance(outcome.error, (StorageFileError, StorageClosedError)):
                self._changes[number] = self._render(outcome)

        return receive

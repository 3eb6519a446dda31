"""A server on which commits are not in the order of their times of creation."""

from dataclasses import dataclass, field
from typing import Any

from mastra_convex.reads.arrivals import OVERLAP, Arrivals, Following

Doc = dict[str, Any]


@dataclass
class Server:
    """Two tables in the order of a time of creation, which is not the order of commits."""

    overlap: float = OVERLAP
    page: int = 3
    # Whether a position is held back by the one that was asked for.
    held: bool = True
    tables: dict[str, list[tuple[float, Doc]]] = field(
        default_factory=lambda: {"threads": [], "messages": []}
    )

    def commit(self, table: str, record_id: str, created: float, saved: float) -> None:
        """Make a record visible."""
        fields = {"resourceId": "r", "updatedAt": saved, "threadId": "t", "role": "user"}
        document = {"id": record_id, "createdAt": saved, "content": '""', "seq": 1, **fields}
        self.tables[table].append((created, document))
        self.tables[table].sort(key=lambda each: each[0])

    def delete(self, table: str, record_id: str) -> None:
        """Take a record away."""
        kept = [each for each in self.tables[table] if each[1]["id"] != record_id]
        self.tables[table] = kept

    def answer(self, path: str, args: Doc) -> Doc:
        """The reply of `listArrived`."""
        rows = self.tables[path.partition(":")[0]]
        limit = min(args["limit"], self.page)
        if "after" not in args:
            found, done, after = rows[-limit:], True, 0.0
        else:
            after = args["after"]
            rows = [row for row in rows if row[0] > after]
            found, done = rows[:limit], len(rows) <= limit
        position = found[-1][0] if found else after
        if found and done:
            position -= self.overlap
            position = max(position, after) if self.held else max(position, 0.0)
        return {"page": [d for _, d in found], "position": position, "isDone": done}

    def run(self, read: Any) -> Any:
        """The value of a read."""
        try:
            call = next(read)
            while True:
                call = read.send(self.answer(*call))
        except StopIteration as stop:
            return stop.value

    def rest(self, following: Following) -> list[str]:
        """The ids of all that is new, the threads of each answer first."""
        ids: list[str] = []
        while True:
            found: Arrivals = self.run(following.more())
            ids += [thread.id for thread in found.threads] + [
                message.id for message in found.messages
            ]
            if found.done:
                return ids

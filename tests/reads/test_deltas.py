"""What comes into a list is given once, also where commits become visible late."""

import random
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.deltas import Delta, Source, arrivals, start

SETTLED = 10.0
TRACES = Source("traces", "spans:listArrived", {"list": "traces"}, ("traceId", "spanId"))


class Arrivals:
    """A table as `spans:listArrived` tells of it on Convex: rows by a time, some seen late."""

    def __init__(self) -> None:
        self.now = 0.0
        # The time of each row, and when it becomes visible.
        self.rows: list[tuple[float, float, str]] = []
        self.calls = 0

    def add(self, name: str, late: float = 0.0) -> None:
        self.now += 0.25
        self.rows.append((self.now, self.now + late, name))

    def answer(self, path: str, args: dict[str, Any]) -> dict[str, Any]:
        assert path == "spans:listArrived"
        assert args["list"] == "traces"
        self.calls += 1
        seen = sorted((time, name) for time, visible, name in self.rows if visible <= self.now)
        newest = seen[-1][0] if seen else 0.0
        since = args.get("after", 0.0)
        settled = max(since, min(newest, self.now - SETTLED))
        if "after" not in args:
            return {"page": [], "position": settled, "isDone": True}
        after = [row for row in seen if row[0] > since]
        page, rest = after[: args["limit"]], after[args["limit"] :]
        rows = [{"traceId": name, "spanId": "root", "createdAt": time} for time, name in page]
        return {"page": rows, "position": page[-1][0] if rest else settled, "isDone": not rest}

    def run(self, read: Any) -> Any:
        try:
            call = next(read)
            while True:
                call = read.send(self.answer(*call))
        except StopIteration as stop:
            return stop.value

    def delta(self, cursor: str, limit: int, *, odd: bool = False) -> Delta:
        keep = (lambda row: int(row["traceId"]) % 2 == 1) if odd else (lambda row: True)
        found = self.run(arrivals(TRACES, cursor, limit, keep))
        assert isinstance(found, Delta)
        return found


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_and_nothing_doubled(seed: int, odd: bool) -> None:
    dice = random.Random(seed)
    table = Arrivals()
    count = 0

    def more(several: int) -> None:
        nonlocal count
        for _ in range(several):
            table.add(str(count), late=dice.choice([0, 0, 0, dice.random() * SETTLED]))
            count += 1

    more(dice.randrange(150))
    table.now += SETTLED
    cursor = table.run(start(TRACES))
    first, given = count, list[str]()
    for _ in range(40):
        more(dice.choice([0, 1, 30, 150]))
        table.now += dice.choice([0, 1, 20])
        limit = dice.choice([1, 10, 100])
        found = table.delta(cursor, limit, odd=odd)
        assert len(found.rows) <= limit
        cursor = found.cursor
        given += [row["traceId"] for row in found.rows]
    table.now += 2 * SETTLED
    while True:
        found = table.delta(cursor, 100, odd=odd)
        cursor = found.cursor
        given += [row["traceId"] for row in found.rows]
        if not found.has_more:
            break
    expected = [str(n) for n in range(first, count) if n % 2 or not odd]
    assert sorted(given, key=int) == expected
    # When all has settled, hardly anything has to be remembered.
    assert len(table.delta(cursor, 1, odd=odd).cursor) < 2000


def test_what_is_late_is_given_when_it_is_seen() -> None:
    table = Arrivals()
    cursor = table.run(start(TRACES))
    table.add("0", late=5)
    table.add("1")
    found = table.delta(cursor, 10)
    assert [row["traceId"] for row in found.rows] == ["1"]
    table.now += 6
    found = table.delta(found.cursor, 10)
    assert [row["traceId"] for row in found.rows] == ["0"]
    assert table.delta(found.cursor, 10).rows == []


def test_a_cursor_that_is_none_is_refused() -> None:
    table = Arrivals()
    cursor = table.run(start(TRACES))
    for bad in (f"{cursor}x", cursor[:-3], "", None):
        with pytest.raises(InvalidArgumentError, match="after must be the delta_cursor"):
            table.delta(bad, 1)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="of this list"):
        table.run(arrivals(TRACES._replace(name="branches"), cursor, 1, bool))

"""The commit log: what it says of each commit, how far back, and of which moment its totals are."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from mastra_convex.engine import log
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.log import CommitLog
from mastra_convex.engine.ranges import sortable
from mastra_convex.engine.store import Store
from tests.engine.support import SCHEMA, add, ask, book, do, opened


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with opened(tmp_path_factory.mktemp("log") / "a.db") as opened_engine:
        yield opened_engine


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    """Another's view of the file."""
    opened_store = Store(engine.path, SCHEMA, durable=False)
    yield opened_store
    opened_store.close()


def head_of(store: Store) -> int:
    """The timestamp of the newest commit."""
    with store.snapshot() as connection:
        return CommitLog(SCHEMA).head(connection).ts


def test_a_commit_tells_the_index_fields_before_and_after(engine: Engine, store: Store) -> None:
    reader = CommitLog(SCHEMA)
    before = head_of(store)
    add(engine, book("a", 1, note="n", lent=True, tags=["not in an index"]))
    do(engine, ["patch", "books", 1, {"year": 2, "note": None}], ["delete", "books", 1])
    with store.snapshot() as connection:
        entries = reader.since(connection, before)
        assert reader.since(connection, reader.head(connection).ts) == []
    assert entries is not None
    one, two = [1, "a", 1, "n", None], [1, "a", 2, None, None]
    assert [list(entry) for entry in entries] == [
        ["books", None, one],
        ["books", one, two],
        ["books", two, None],
    ]
    keys = list(reader.index_keys(entries[1]))
    assert ("by_title_note_year", sortable(["a", "n", 1, 1])) in keys
    assert ("by_title_note_year", sortable(["a", None, 2, 1])) in keys
    assert len(keys) == 2 * len(SCHEMA.tables["books"].indexes)


def test_a_range_that_is_deleted_names_its_table_alone(engine: Engine, store: Store) -> None:
    add(engine, book("a"), book("b"))
    reader = CommitLog(SCHEMA)
    before = head_of(store)
    do(engine, ["delete_range", {"table": "books", "index": "by_title"}])
    with store.snapshot() as connection:
        entries = reader.since(connection, before)
    assert entries is not None
    assert [list(entry) for entry in entries] == [["books", None, None]]
    assert list(reader.index_keys(entries[0])) == []


def test_what_writes_nothing_is_no_commit(engine: Engine, store: Store) -> None:
    add(engine, book("a", 1, tags=[1]))
    before = head_of(store)
    do(engine)
    do(engine, ["patch", "books", 1, {"year": 1.0, "note": None, "tags": [1]}])
    do(engine, ["patch", "books", 1, {}], ["replace", "books", 1, book("a", 1, tags=[1])])
    do(engine, ["delete_range", {"table": "books", "index": "by_title", "eq": ["nobody"]}])
    with pytest.raises(ValueError, match="fails"):
        do(engine, ["delete", "books", 1], ["raise", "fails"])
    assert head_of(store) == before


def test_infinite_numbers_are_told(engine: Engine, store: Store) -> None:
    before = head_of(store)
    add(engine, book("a", float("inf"), price=float("-inf")))
    reader = CommitLog(SCHEMA)
    with store.snapshot() as connection:
        entries = reader.since(connection, before)
    assert entries is not None
    assert entries[0][2] == [1, "a", float("inf"), None, float("-inf")]
    assert ask(engine, index="by_year", bounds=[["gt", 1e308]])[0]["year"] == float("inf")


def test_totals_are_of_the_snapshot(engine: Engine, store: Store) -> None:
    add(engine, book("a"))
    reader = CommitLog(SCHEMA)
    with store.snapshot() as connection:
        first = reader.head(connection)
        add(engine, book("b"))
        with store.snapshot() as later:
            assert reader.head(later).totals["books"][0] == 2
        assert reader.head(connection) == first
        assert first.totals["books"][0] == 1


def test_a_new_log_reads_what_is_there(engine: Engine, store: Store) -> None:
    add(engine, book("a"))
    with store.snapshot() as connection:
        assert CommitLog(SCHEMA).head(connection).totals["books"][0] == 1
        assert CommitLog(SCHEMA).since(connection, 12345) is None


def rows(store: Store) -> int:
    """How many commits the log has."""
    with store.snapshot() as connection:
        count: int = connection.execute("SELECT count(*) FROM _commits").fetchone()[0]
        return count


def test_the_log_is_trimmed(engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for year in range(300):
        add(engine, book("a", year))
    assert rows(store) >= 300
    monkeypatch.setattr(log, "KEEP_NANOSECONDS", 0)
    # The first commit of each who opens the file trims.
    with opened(engine.path) as other:
        add(other, book("b"))
    assert rows(store) == 2
    for year in range(600):
        add(engine, book("a", year))
    assert rows(store) < 300


def test_a_log_of_any_length_is_trimmed_in_the_end(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3000):
        do(engine, ["patch", "books", add(engine, book("a"))[0], {"year": 1}])
    monkeypatch.setattr(log, "KEEP_NANOSECONDS", 0)
    for _ in range(8):
        with opened(engine.path) as other:
            add(other, book("b"))
    assert rows(store) == 2


def test_a_clock_that_was_far_ahead_once_does_not_keep_the_log_for_ever(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = time.time_ns() + 10**18
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: ahead)
        add(engine, book("a"))
    monkeypatch.setattr(log, "KEEP_COMMITS", 100)
    for year in range(600):
        add(engine, book("a", year))
    assert 100 <= rows(store) <= 100 + 256


def test_whoever_is_up_to_date_keeps_its_place(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any silence: else the first commit would have all live queries run again."""
    monkeypatch.setattr(log, "KEEP_NANOSECONDS", 0)
    reader = CommitLog(SCHEMA)
    for _ in range(3):
        place = head_of(store)
        with opened(engine.path) as other:
            add(other, book("b"))
        with store.snapshot() as connection:
            entries = reader.since(connection, place)
            assert entries is not None
            assert len(entries) == 1
    with store.snapshot() as connection:
        assert reader.since(connection, 1) is None

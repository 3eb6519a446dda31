"""The file format: numbered, migrated in one transaction, and pinned to its number."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine import migrations, store
from mastra_convex.engine.context import SERVICE, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.migrations import APPLICATION_ID, FORMAT_VERSION, STEPS, migrate
from mastra_convex.engine.registry import query
from mastra_convex.engine.schema import Schema, define_schema, define_table
from mastra_convex.engine.store import Store
from mastra_convex.errors import FileUnavailableError
from mastra_convex.functions.schema import schema as present_schema
from mastra_convex.values.validators import v
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import add, ask, book, opened, registry_of, titles

# The digest of everything that decides what a file holds, by the number of its format. When this
# test fails, a file of before would be opened as if it had what it has not: give the change a step
# in `engine/migrations.py` (an empty one will do where only columns or indexes were added) and
# enter the digest under the new number. The lines of released formats stay.
FORMATS = {1: "493e63207abc0632", 2: "bb579a1cb0ef9611"}


def contents(path: Path) -> dict[str, Any]:
    """What a file is made of: its tables with their columns, its indexes with theirs, numbers."""
    with closing(sqlite3.connect(path)) as connection:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        names = rows("SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name")
        return {
            "application": rows("PRAGMA application_id")[0][0],
            "tables": {
                name: sorted(row[1:] for row in rows(f'PRAGMA table_info("{name}")'))
                for kind, name, _ in names
                if kind == "table"
            },
            "indexes": {
                name: [table, *(row[2] for row in rows(f'PRAGMA index_info("{name}")'))]
                for kind, name, table in names
                if kind == "index"
            },
        }


def number_of(path: Path) -> int:
    """The number of a file's format."""
    with closing(sqlite3.connect(path)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


def make(path: Path, schema: Schema) -> None:
    """A new file for a schema."""
    Store(path, schema, durable=False).close()


def digest(value: Any) -> str:
    """A short digest of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def test_the_schema_has_the_number_it_was_given(tmp_path: Path) -> None:
    make(tmp_path / "a.db", present_schema)
    validators = {name: t.document.describe() for name, t in present_schema.tables.items()}
    assert digest([contents(tmp_path / "a.db"), validators]) == FORMATS[FORMAT_VERSION]


def test_every_number_is_known() -> None:
    assert list(FORMATS) == list(range(1, FORMAT_VERSION + 1))
    assert len(STEPS) == FORMAT_VERSION


def test_a_change_of_the_schema_changes_the_digest(tmp_path: Path) -> None:
    fields = {"id": v.string(), "n": v.number()}
    changed = [
        define_table(fields),
        define_table(fields).index("by_id2", ["id"]),
        define_table(fields).index("by_id2", ["id", "n"]),
        define_table({**fields, "more": v.optional(v.string())}),
        define_table({**fields, "n": v.string()}),
    ]
    digests = set()
    for number, table in enumerate(changed):
        make(tmp_path / f"{number}.db", define_schema({"things": table}))
        digests.add(digest(contents(tmp_path / f"{number}.db")))
    assert len(digests) == len(changed)


def test_a_new_file_says_what_it_is(tmp_path: Path) -> None:
    make(tmp_path / "a.db", present_schema)
    assert number_of(tmp_path / "a.db") == FORMAT_VERSION
    found = contents(tmp_path / "a.db")
    assert found["application"] == APPLICATION_ID
    assert found["tables"].keys() == {*present_schema.tables, "_commits", "_requests"}


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine:
        add(engine, book("a"))
    before = path.read_bytes()
    with opened(path) as engine:
        assert titles(ask(engine, index="by_title")) == ["a"]
    assert path.read_bytes() == before


def nothing(connection: sqlite3.Connection) -> None:
    """A step for a change that needs none."""


def lowercase(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE things SET id = lower(id)")


def count_words(connection: sqlite3.Connection) -> None:
    connection.execute('ALTER TABLE things ADD COLUMN "words" REAL')
    connection.execute(
        "UPDATE things SET words = length(text) - length(replace(text, ' ', '')) + 1"
    )


def fails(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE things SET id = 'broken'")
    connection.execute("CREATE TABLE half (done)")
    raise LookupError("this step fails")


OLD = define_table({"id": v.string(), "text": v.string()}).index("by_key", ["id"])
OLD.index("by_text", ["text"])


def new_schema() -> Schema:
    """The schema after: two fields more, one index more, one less, and a table more."""
    things = define_table(
        {
            "id": v.string(),
            "text": v.string(),
            "words": v.number(),
            "note": v.optional(v.string()),
            "list": v.optional(v.array(v.string())),
        }
    )
    things.index("by_key", ["id"]).index("by_words", ["words", "id"])
    return define_schema({"things": things, "others": define_table({"name": v.string()})})


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of the old schema, with two documents."""
    path = tmp_path / "a.db"
    make(path, define_schema({"things": OLD}))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO things (id, text) VALUES ('A', 'one two'), ('B', 'one')")
        connection.commit()
    return path


def migrate_to(
    monkeypatch: pytest.MonkeyPatch, path: Path, schema: Schema, *steps: Callable[..., None]
) -> Store:
    """Open a file as the version would that has these steps more."""
    all_steps = (*STEPS, *steps)
    monkeypatch.setattr(store, "FORMAT_VERSION", len(all_steps))
    monkeypatch.setattr(
        store, "migrate", lambda connection, schema: migrate(connection, schema, all_steps)
    )
    return Store(path, schema, durable=False)


def test_an_older_file_is_migrated(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_to(monkeypatch, old, new_schema(), lowercase, count_words).close()
    assert number_of(old) == FORMAT_VERSION + 2
    found = contents(old)
    names = {row[0] for row in found["tables"]["things"]}
    assert names == {"_id", "id", "text", "words", "note", "list"}
    assert {row[0] for row in found["tables"]["others"]} == {"_id", "name"}
    assert found["indexes"] == {
        "_requests__by_answered": ["_requests", "answered"],
        "things__by_key": ["things", "id"],
        "things__by_words": ["things", "words", "id"],
    }
    with closing(sqlite3.connect(old)) as connection:
        rows = connection.execute("SELECT _id, id, text, words, note FROM things").fetchall()
    assert rows == [(1, "a", "one two", 2.0, None), (2, "b", "one", 1.0, None)]


def test_a_migrated_file_is_like_a_new_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = old.with_name("new.db")
    for path in (old, new):
        migrate_to(monkeypatch, path, new_schema(), nothing).close()
    assert contents(old) == contents(new)
    assert number_of(old) == number_of(new)


@query(args={}, returns=v.array(v.number()))
def count(ctx: QueryCtx, args: dict[str, Any]) -> list[float]:
    return [one["words"] for one in ctx.db.query("things").with_index("by_key").take(9)]


def test_a_migrated_file_can_be_used(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_to(monkeypatch, old, new_schema(), count_words).close()
    monkeypatch.undo()
    monkeypatch.setattr(store, "FORMAT_VERSION", FORMAT_VERSION + 1)
    engine = Engine(old, new_schema(), registry_of(count=count))
    assert engine.query("test:count", {}, SERVICE) == [2.0, 1.0]
    assert engine.mutation("test:write", {"steps": [["now"]]}, SERVICE)
    engine.close()


def test_only_the_steps_that_are_missing_run(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def step(name: str) -> Callable[[sqlite3.Connection], None]:
        return lambda connection: runs.append(name)

    migrate_to(monkeypatch, old, new_schema(), step("2")).close()
    migrate_to(monkeypatch, old, new_schema(), step("2"), step("3"), step("4")).close()
    migrate_to(monkeypatch, old, new_schema(), step("2"), step("3"), step("4")).close()
    assert runs == ["2", "3", "4"]


def test_a_step_that_fails_leaves_the_file_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)
    with pytest.raises(LookupError, match="this step fails"):
        migrate_to(monkeypatch, old, new_schema(), lowercase, count_words, fails)
    assert contents(old) == before
    assert number_of(old) == FORMAT_VERSION
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT id FROM things").fetchall() == [("A",), ("B",)]
    migrate_to(monkeypatch, old, new_schema(), lowercase, count_words).close()


@pytest.mark.parametrize("statement", ["CREATE INDEX", "PRAGMA user_version =", "COMMIT"])
def test_a_migration_that_the_disk_ends_can_be_repeated(
    statement: str, old: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)
    begun: list[str] = []
    fail = fail_once(statement, sqlite3.OperationalError("disk I/O error"))

    def hook(sql: str) -> None:
        begun.append(sql)
        if "BEGIN IMMEDIATE" in begun:
            fail(sql)

    connections.before = hook
    with pytest.raises(FileUnavailableError):
        migrate_to(monkeypatch, old, new_schema(), nothing)
    connections.before = None
    assert contents(old) == before
    assert number_of(old) == FORMAT_VERSION
    migrate_to(monkeypatch, old, new_schema(), nothing).close()
    assert number_of(old) == FORMAT_VERSION + 1


def test_a_migration_that_sqlite_itself_gave_up_can_be_repeated(
    old: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)

    def give_up(sql: str) -> None:
        if sql.startswith("CREATE INDEX"):
            connections.before = None
            connections.all[-1].execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")

    connections.before = give_up
    with pytest.raises(FileUnavailableError, match="full"):
        migrate_to(monkeypatch, old, new_schema(), nothing)
    assert contents(old) == before
    migrate_to(monkeypatch, old, new_schema(), nothing).close()


def test_who_comes_second_finds_nothing_to_do(old: Path) -> None:
    """The number is read again under the lock: another process may have been quicker."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
        before = contents(old)
        migrate(connection, new_schema(), (*STEPS, fails))
        assert contents(old) == before
        assert not connection.in_transaction


def test_the_commit_log_begins_with_a_commit_of_nothing(tmp_path: Path) -> None:
    make(tmp_path / "a.db", define_schema({}))
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT * FROM _commits").fetchall() == [(1, "[]", "{}")]


def test_the_number_says_ours() -> None:
    assert migrations.APPLICATION_ID.to_bytes(4, "big") == b"MCON"

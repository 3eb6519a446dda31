"""Files of older formats: what is counted now and was not then is right after they are opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mastra_convex import ConvexStorage


def made_older(path: Path) -> None:
    """Take from a file what format 1 had not."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM counters WHERE \"index\" = 'owned'")
        for table in ("_requests", "observationalMemory", "observationChunks"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX counters__by_second")
        connection.execute("DROP INDEX messages__by_resource_created")
        connection.execute("PRAGMA user_version = 1")


def counted(storage: ConvexStorage) -> dict[str, int]:
    """The records of each table."""
    return {each.table: each.records for each in storage.get_statistics()}


def test_the_messages_of_a_resource_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with ConvexStorage(path) as storage:
        for thread, owner in (("t1", "alice"), ("t2", "alice"), ("t3", "bob")):
            storage.save_thread({"id": thread, "resourceId": owner})
            messages = [
                {"id": f"{thread}-{n}", "threadId": thread, "role": "user", "content": "x"}
                for n in range(3)
            ]
            storage.save_messages([{**each, "resourceId": owner} for each in messages])
        storage.save_message({"id": "whose", "threadId": "t1", "role": "user", "content": "x"})
        before = counted(storage)
    made_older(path)
    with ConvexStorage(path) as storage:
        assert storage.list_messages_by_resource_id("alice").total == 6
        assert storage.list_messages_by_resource_id("bob").total == 3
        assert counted(storage) == before
        storage.delete_messages(["t1-0"])
        storage.delete_thread("t2")
        assert storage.list_messages_by_resource_id("alice").total == 2
        storage.save_message(
            {"id": "new", "threadId": "t1", "resourceId": "carol", "role": "user", "content": "x"}
        )
        assert storage.list_messages_by_resource_id("carol").total == 1
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT first, second, count FROM counters").fetchall()
        assert connection.execute("SELECT count(*) FROM counters").fetchone()[0] == len(set(rows))

"""The file format: what a file must hold, and the numbered steps from older formats.

`PRAGMA user_version` is the format's number and `application_id` says that the file is ours. Each
step runs with its number in one transaction. After the steps, tables, columns and indexes that the
schema has and the file lacks are added, so that a step is needed only to change what exists; but
every change of the schema gets a number, for older packages must refuse the file. What new tables
need to know of what is there, the schema's upgrades fill in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from mastra_convex.engine.schema import BY_CREATION_TIME, Schema, Table, Upgrade

if TYPE_CHECKING:
    from mastra_convex.engine.store import Connection

APPLICATION_ID = 0x4D434F4E  # "MCON"


def _create_commit_log(connection: Connection) -> None:
    # ts: the commit's timestamp, nanoseconds since the epoch, strictly increasing.
    # totals: documents, bytes and last `_id` of each table after this commit.
    connection.execute(
        "CREATE TABLE _commits "
        "(ts INTEGER PRIMARY KEY, changes TEXT NOT NULL, totals TEXT NOT NULL)"
    )
    connection.execute("INSERT INTO _commits VALUES (1, '[]', '{}')")


def _create_requests(connection: Connection) -> None:
    # ts: of the commit that the request has made; answered: when, nanoseconds since the epoch.
    # value: what it returned, as JSON.
    connection.execute(
        "CREATE TABLE _requests (session TEXT NOT NULL, request INTEGER NOT NULL, "
        "ts INTEGER NOT NULL, answered INTEGER NOT NULL, value TEXT NOT NULL, "
        "PRIMARY KEY (session, request)) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX _requests__by_answered ON _requests (answered)")


STEPS: tuple[Callable[[Connection], None], ...] = (_create_commit_log, _create_requests)
FORMAT_VERSION = len(STEPS)


def migrate(
    connection: Connection,
    schema: Schema,
    steps: tuple[Callable[[Connection], None], ...] = STEPS,
) -> None:
    """Bring the file to the present format, in one transaction; a file that is there is left."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have opened the file at the same moment.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in steps[version:]:
            step(connection)
        if version < len(steps):
            for table in schema.tables.values():
                _complete(connection, table, new=not version)
            if version:
                for number in range(version + 1, len(steps) + 1):
                    for upgrade in schema.upgrades.get(number, ()):
                        _fill(connection, schema, upgrade)
            connection.execute(f"PRAGMA user_version = {len(steps)}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _fill(connection: Connection, schema: Schema, upgrade: Upgrade) -> None:
    """Run an upgrade, and count its table anew in a commit of its own."""
    connection.execute(upgrade.statement)
    table = schema.tables[upgrade.table]
    count, size, last = connection.execute(
        f'SELECT count(*), {table.size_sql()}, ifnull(max(_id), 0) FROM "{table.name}"'
    ).fetchone()
    ts, text = connection.execute(
        "SELECT ts, totals FROM _commits ORDER BY ts DESC LIMIT 1"
    ).fetchone()
    totals = json.loads(text)
    # No `_id` comes twice, those of deleted documents included.
    totals[table.name] = [count, size, max(last, totals.get(table.name, [0, 0, 0])[2])]
    connection.execute(
        "INSERT INTO _commits VALUES (?, ?, ?)",
        (ts + 1, json.dumps([[table.name, None, None]]), json.dumps(totals)),
    )


def _complete(connection: Connection, table: Table, *, new: bool) -> None:
    """Add what the file lacks of a table, and drop its indexes that the schema has no more.

    A `new` file is not even asked what it has.
    """
    asked = () if new else connection.execute(f'PRAGMA table_info("{table.name}")')
    present = [row[1] for row in asked]
    if not present:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in table.column_types.items())
        connection.execute(f'CREATE TABLE "{table.name}" (_id INTEGER PRIMARY KEY, {columns})')
    else:
        for name in table.fields.keys() - set(present):
            kind = table.column_types[name]
            connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{name}" {kind}')
    declared = [index for name, index in table.indexes.items() if name != BY_CREATION_TIME]
    wanted = {f"{table.name}__{index.name}": index for index in declared}
    existing: set[str] = set()
    if present:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", [table.name]
        )
        existing = {row[0] for row in rows}
    for name in existing - wanted.keys():
        connection.execute(f'DROP INDEX "{name}"')
    for name in wanted.keys() - existing:
        fields = ", ".join(f'"{field}"' for field in wanted[name].fields)
        connection.execute(f'CREATE INDEX "{name}" ON "{table.name}" ({fields})')

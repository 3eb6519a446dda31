"""The adapter's tables: how each is read, written and listed through our functions.

What comes in are rows, as the adapter has them; what goes out are records of ours, of which
`Table.row` makes rows again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.registry import Function
from mastra_convex.errors import ConflictError, InvalidArgumentError
from mastra_convex.functions import (
    background_tasks,
    channels,
    messages,
    observational_memory,
    resources,
    schedules,
    scores,
    threads,
    workflow_runs,
)
from mastra_convex.functions.lib import columns, observations, records
from mastra_convex.functions.lib.access import Doc
from mastra_convex.functions.lib.batches import MAX_BATCH
from mastra_convex.functions.lib.columns import Rows
from mastra_convex.functions.lib.snapshots import status_of
from mastra_convex.functions.mastra.lists import MORE, arrived, every

# The values that columns are to have, by their names in the adapter's table.
Keys = dict[str, Any]
Get = Callable[[MutationCtx, Keys], Doc | None]
List = Callable[[MutationCtx, Keys, int], list[Doc]]
Save = Callable[[MutationCtx, list[Doc]], None]
Remove = Callable[[MutationCtx, list[str]], None]
Change = Callable[[MutationCtx, str, Doc], bool]


class Table(NamedTuple):
    """One of their tables; `change` sets fields of a record, and says whether there is one."""

    rows: Rows
    get: Get
    list: List
    save: Save
    remove: Remove
    change: Change | None = None
    row: Callable[[Doc], Doc] | None = None

    def row_of(self, record: Doc) -> Doc:
        """The row of a record."""
        return (self.row or self.rows.row)(record)


def _by_id(rows: Rows) -> Get:
    def get(ctx: MutationCtx, keys: Keys) -> Doc | None:
        record = records.by_key(ctx, rows.table, _id_of(rows, keys))
        return record and records.public(record)

    return get


def _id_of(rows: Rows, keys: Keys) -> str:
    if keys.keys() != {"id"} or not isinstance(keys["id"], str):
        raise InvalidArgumentError(f"a record of {rows.table} is read by its id", path="keys")
    found: str = keys["id"]
    return found


def _listed(
    rows: Rows, function: Function, criteria: str = "", *, needs: str = "", **fixed: Any
) -> List:
    """What a list function gives that takes these fields as criteria; the others are looked at.

    One that it `needs` must be among them.
    """
    names = {*criteria.split()}

    def list_(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
        wanted = rows.changes(keys)
        given = {name: x for name, x in wanted.items() if name in names and x is not None}
        if needs and needs not in given:
            raise InvalidArgumentError(f"{rows.table} are listed by {needs}", path="filters")
        left = {name: x for name, x in wanted.items() if name not in given}
        enough = MORE if left else limit
        found = every(ctx, function, {**fixed, **given}, f"listing {rows.table}", enough)
        return [each for each in found if _fits(each, left)][:limit]

    return list_


def _arrived(rows: Rows) -> List:
    """All records of a table that has no list without criteria, as far as they fit."""

    def list_(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
        wanted = rows.changes(keys)
        enough = MORE if wanted else limit
        found = arrived(ctx, rows.table, f"listing {rows.table}", enough)
        return [each for each in found if _fits(each, wanted)][:limit]

    return list_


def _fits(record: Doc, wanted: Doc) -> bool:
    return all(record.get(name) == value for name, value in wanted.items())


def _saved(rows: Rows, function: Function, name: str) -> Save:
    def save(ctx: MutationCtx, given: list[Doc]) -> None:
        for row in given:
            function.handler(ctx, {name: rows.record(row)})

    return save


def _removed(function: Function) -> Remove:
    def remove(ctx: MutationCtx, ids: list[str]) -> None:
        for id in ids:
            function.handler(ctx, {"id": id})

    return remove


def _deleted(rows: Rows) -> Remove:
    """Of records that no function deletes one by one, and that nothing hangs on."""

    def remove(ctx: MutationCtx, ids: list[str]) -> None:
        for id in ids:
            record = records.by_key(ctx, rows.table, id)
            if record is not None:
                records.remove(ctx, rows.table, record)

    return remove


def _batches(ids: list[str]) -> Iterator[list[str]]:
    """The ids in parts that our functions take."""
    for start in range(0, len(ids), MAX_BATCH):
        yield ids[start : start + MAX_BATCH]


def _changed(ctx: MutationCtx, rows: Rows, id: str, fields: Doc) -> tuple[Doc, Doc] | None:
    """The record as it is and as it would be. Raises `InvalidArgumentError` for what is none."""
    found = records.by_key(ctx, rows.table, id)
    if found is None:
        return None
    before = records.public(found)
    return before, rows.checked({**before, **fields})


def _change_thread(ctx: MutationCtx, id: str, fields: Doc) -> bool:
    found = _changed(ctx, columns.THREADS, id, fields)
    if found is None:
        return False
    before, after = found
    # Its messages may have been saved by a clock that is ahead of the adapter's.
    after["updatedAt"] = max(before["updatedAt"], after["updatedAt"])
    threads.save.handler(ctx, {"thread": after})
    return True


def _get_message(ctx: MutationCtx, keys: Keys) -> Doc | None:
    ids = [_id_of(columns.MESSAGES, keys)]
    found: list[Doc] = messages.list_by_id.handler(ctx, {"ids": ids})
    return found[0] if found else None


def _list_messages(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
    if "id" in keys:
        found = _get_message(ctx, {"id": keys["id"]})
        wanted = columns.MESSAGES.changes(keys)
        return [found] if found and _fits(found, wanted) else []
    function = messages.list_ if "thread_id" in keys else messages.list_by_resource
    if keys.get("thread_id", keys.get("resourceId")) is None:
        raise InvalidArgumentError("messages are listed by thread_id or resourceId", path="filters")
    return _listed(columns.MESSAGES, function, "threadId resourceId")(ctx, keys, limit)


def _save_messages(ctx: MutationCtx, given: list[Doc]) -> None:
    messages.save.handler(ctx, {"messages": [columns.MESSAGES.record(row) for row in given]})


def _remove_messages(ctx: MutationCtx, ids: list[str]) -> None:
    for some in _batches(ids):
        messages.remove.handler(ctx, {"ids": some})


def _get_run(ctx: MutationCtx, keys: Keys) -> Doc | None:
    if keys.keys() == {"id"}:
        return _run_of_joined(ctx, str(keys["id"]))
    wanted = columns.WORKFLOW_RUNS.changes(keys)
    if wanted.keys() != {"workflowName", "id"}:
        raise InvalidArgumentError("a run is read by workflow_name and run_id", path="keys")
    found: Doc | None = workflow_runs.get.handler(ctx, wanted)
    return found


def _list_runs(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
    if "run_id" not in keys:
        criteria = "workflowName resourceId"
        return _listed(columns.WORKFLOW_RUNS, workflow_runs.list_, criteria)(ctx, keys, limit)
    wanted = columns.WORKFLOW_RUNS.changes(keys)
    named: Doc = {name: wanted[name] for name in ("id", "workflowName") if name in wanted}
    found = workflow_runs.get.handler(ctx, named)
    return [found] if found and _fits(found, wanted) else []


def _save_runs(ctx: MutationCtx, given: list[Doc]) -> None:
    for row in given:
        run = columns.WORKFLOW_RUNS.record(row)
        if "state" not in run:
            raise InvalidArgumentError("the row of a run has a snapshot", path="snapshot")
        workflow_runs.persist.handler(ctx, {"run": {**run, **status_of(run["state"])}})


def _remove_runs(ctx: MutationCtx, ids: list[str]) -> None:
    for id in ids:
        run = _run_of_joined(ctx, id)
        if run is not None:
            workflow_runs.remove.handler(ctx, run)


def _run_of_joined(ctx: MutationCtx, joined: str) -> Doc | None:
    """The run of a name and an id that the adapter has joined with a hyphen.

    Raises `ConflictError` if that may be several: none of them is to be taken for another.
    """
    parts = joined.split("-")
    keys = [("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts))]
    found = [run for key in keys if (run := records.by_key(ctx, "workflowRuns", *key))]
    if len(found) > 1:
        raise ConflictError(
            f"{joined!r} is the name and id of {len(found)} workflow runs; "
            "use workflowRuns:remove, which has both apart",
            table="workflowRuns",
            id=joined,
        )
    return records.public(found[0]) if found else None


def _save_schedules(ctx: MutationCtx, given: list[Doc]) -> None:
    for row in given:
        # The store takes the workflow from the target.
        schedule = columns.SCHEDULES.record({**row, "workflow_id": None})
        schedules.create.handler(ctx, {"schedule": schedule})


def _change_task(ctx: MutationCtx, id: str, fields: Doc) -> bool:
    if _changed(ctx, columns.BACKGROUND_TASKS, id, fields) is None:
        return False
    found: bool = background_tasks.update.handler(ctx, {"id": id, "update": fields})
    return found


def _remove_tasks(ctx: MutationCtx, ids: list[str]) -> None:
    for some in _batches(ids):
        background_tasks.remove.handler(ctx, {"tasks": [{"id": id} for id in some]})


def _list_installations(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
    one = {
        ("platform", "agentId"): channels.get_installation_by_agent,
        ("webhookId",): channels.get_installation_by_webhook_id,
    }.get(tuple(keys))
    if one is None:
        rows, function = columns.CHANNEL_INSTALLATIONS, channels.list_installations
        return _listed(rows, function, "platform", needs="platform")(ctx, keys, limit)
    found = one.handler(ctx, keys)
    return [] if found is None else [found]


def _get_memory(ctx: MutationCtx, keys: Keys) -> Doc | None:
    rows = columns.OBSERVATIONAL_MEMORY
    found = records.by_key(ctx, rows.table, _id_of(rows, keys))
    return found and observations.with_chunks(ctx, found)


def subject_of(lookup_key: Any) -> Doc:
    """The thread, or else the resource, that a row of observational memory is of."""
    kind, _, id = str(lookup_key).partition(":")
    if kind == "thread":
        return {"threadId": id, "resourceId": ""}
    if kind == "resource":
        return {"resourceId": id}
    raise InvalidArgumentError(f"{lookup_key!r:.60} is no lookupKey", path="lookupKey")


def _list_memory(ctx: MutationCtx, keys: Keys, limit: int) -> list[Doc]:
    if keys.keys() != {"lookupKey"}:
        raise InvalidArgumentError("observational memory is listed by lookupKey", path="filters")
    subject = subject_of(keys["lookupKey"])
    # A page of memory has no order to choose.
    return every(ctx, observational_memory.list_, subject, "listing observational memory", limit)


def _save_memory(ctx: MutationCtx, given: list[Doc]) -> None:
    for row in given:
        record = columns.OBSERVATIONAL_MEMORY.record(row)
        chunks = columns.chunks_of_row(row)
        whole = {**record, "bufferedObservationChunks": chunks}
        observational_memory.save.handler(ctx, {"record": whole})


def _change_memory(ctx: MutationCtx, id: str, fields: Doc) -> bool:
    if _changed(ctx, columns.OBSERVATIONAL_MEMORY, id, fields) is None:
        return False
    # The store sets `updatedAt`.
    change = {name: value for name, value in fields.items() if name != "updatedAt"}
    observational_memory.update.handler(ctx, {**change, "id": id})
    return True


def _remove_memory(ctx: MutationCtx, ids: list[str]) -> None:
    for id in ids:
        record = records.by_key(ctx, columns.OBSERVATIONAL_MEMORY.table, id)
        if record is not None:
            observations.remove_memory(ctx, record)


TABLES = {
    "mastra_threads": Table(
        columns.THREADS,
        _by_id(columns.THREADS),
        _listed(columns.THREADS, threads.list_, "resourceId", orderBy="createdAt"),
        _saved(columns.THREADS, threads.save, "thread"),
        _removed(threads.remove),
        _change_thread,
    ),
    "mastra_messages": Table(
        columns.MESSAGES, _get_message, _list_messages, _save_messages, _remove_messages
    ),
    "mastra_resources": Table(
        columns.RESOURCES,
        _by_id(columns.RESOURCES),
        _arrived(columns.RESOURCES),
        _saved(columns.RESOURCES, resources.save, "resource"),
        _deleted(columns.RESOURCES),
    ),
    "mastra_workflow_snapshot": Table(
        columns.WORKFLOW_RUNS, _get_run, _list_runs, _save_runs, _remove_runs
    ),
    "mastra_scorers": Table(
        columns.SCORES,
        _by_id(columns.SCORES),
        _arrived(columns.SCORES),
        _saved(columns.SCORES, scores.save, "score"),
        _deleted(columns.SCORES),
    ),
    "mastra_schedules": Table(
        columns.SCHEDULES,
        _by_id(columns.SCHEDULES),
        _listed(columns.SCHEDULES, schedules.list_, "workflowId ownerType ownerId status"),
        _save_schedules,
        _removed(schedules.remove),
    ),
    "mastra_schedule_triggers": Table(
        columns.SCHEDULE_TRIGGERS,
        _by_id(columns.SCHEDULE_TRIGGERS),
        _listed(
            columns.SCHEDULE_TRIGGERS, schedules.list_triggers, "scheduleId", needs="scheduleId"
        ),
        _saved(columns.SCHEDULE_TRIGGERS, schedules.record_trigger, "trigger"),
        _deleted(columns.SCHEDULE_TRIGGERS),
    ),
    "mastra_background_tasks": Table(
        columns.BACKGROUND_TASKS,
        _by_id(columns.BACKGROUND_TASKS),
        _listed(
            columns.BACKGROUND_TASKS,
            background_tasks.list_,
            "toolCallId runId threadId resourceId agentId toolName status",
        ),
        _saved(columns.BACKGROUND_TASKS, background_tasks.create, "task"),
        _remove_tasks,
        _change_task,
    ),
    "mastra_channel_installations": Table(
        columns.CHANNEL_INSTALLATIONS,
        _by_id(columns.CHANNEL_INSTALLATIONS),
        _list_installations,
        _saved(columns.CHANNEL_INSTALLATIONS, channels.save_installation, "installation"),
        _removed(channels.remove_installation),
    ),
    "mastra_channel_config": Table(
        columns.CHANNEL_CONFIGS,
        _by_id(columns.CHANNEL_CONFIGS),
        _arrived(columns.CHANNEL_CONFIGS),
        _saved(columns.CHANNEL_CONFIGS, channels.save_config, "config"),
        _removed(channels.remove_config),
    ),
    "mastra_observational_memory": Table(
        columns.OBSERVATIONAL_MEMORY,
        _get_memory,
        _list_memory,
        _save_memory,
        _remove_memory,
        _change_memory,
        columns.memory_row,
    ),
}

"""What `ConvexStore` of `@mastra/convex` calls: its storage protocol over our tables.

What Mastra writes is a record like any other, and what others write, Mastra reads. The adapter has
one mutation for everything, which takes the operator's admin key.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions import system
from mastra_convex.functions.lib.access import Args, Doc, service_mutation
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.mastra import jobs, memory
from mastra_convex.functions.mastra.lists import MORE
from mastra_convex.functions.mastra.requests import (
    Operation,
    answer,
    done,
    found,
    operation,
    perform,
    whole,
)
from mastra_convex.functions.mastra.tables import TABLES, Table
from mastra_convex.values.validators import v

# A value of Convex with any members: its columns are looked at one by one.
_row = v.any()
_filter = v.object(
    {"field": v.string(), "value": v.union(v.string(), v.number(), v.boolean(), v.null())}
)


@operation({"record": _row})
def insert(ctx: MutationCtx, args: Args) -> Doc:
    """Save a row by its id."""
    _table_of(args).save(ctx, [args["record"]])
    return done()


@operation({"records": v.array(_row)})
def batch_insert(ctx: MutationCtx, args: Args) -> Doc:
    """Save rows by their ids, all of them or none."""
    check_batch(len(args["records"]), "records")
    _table_of(args).save(ctx, args["records"])
    return done()


@operation({"id": v.string(), "record": _row})
def patch(ctx: MutationCtx, args: Args) -> Doc:
    """Change columns of a row; whether there is one."""
    table = _table_of(args)
    if table.change is None:
        raise _unsupported("patch", args)
    changes = table.rows.changes(args["record"])
    changes.pop("id", None)
    return found(table.change(ctx, args["id"], changes))


@operation({"keys": _row})
def load(ctx: MutationCtx, args: Args) -> Doc:
    """The row with these keys, or null."""
    table = _table_of(args)
    record = table.get(ctx, _checked(args["keys"]))
    return found(record and table.row_of(record))


@operation({"ids": v.array(v.string())})
def load_many(ctx: MutationCtx, args: Args) -> Doc:
    """The rows with these ids that there are."""
    check_batch(len(args["ids"]), "ids")
    table = _table_of(args)
    records = [table.get(ctx, {"id": id}) for id in dict.fromkeys(args["ids"])]
    return found([table.row_of(record) for record in records if record is not None])


@operation(
    {
        "filters": v.optional(v.array(_filter)),
        "limit": v.optional(v.number()),
        "indexHint": v.optional(_row),
    }
)
def query_table(ctx: MutationCtx, args: Args) -> Doc:
    """The rows whose columns have these values, by the index that serves; all, or `limit`."""
    table = _table_of(args)
    keys = {each["field"]: each["value"] for each in args.get("filters", ())}
    hint = args.get("indexHint")
    if hint is not None:
        keys |= _keys_of(_checked(hint))
    limit = args.get("limit")
    records = table.list(ctx, keys, MORE if limit is None else max(0, whole(limit)))
    return found([table.row_of(record) for record in records])


@operation({"ids": v.array(v.string())})
def delete_many(ctx: MutationCtx, args: Args) -> Doc:
    """Delete the rows with these ids. Unknown ids are fine.

    They may be all messages of a thread, before the thread itself.
    """
    _table_of(args).remove(ctx, args["ids"])
    return done()


@operation({})
def clear_table(ctx: MutationCtx, args: Args) -> Doc:
    """Delete every row that a table has now. Threads take their messages along."""
    system.clear.handler(ctx, {"table": _table_of(args).rows.table})
    return done()


OPERATIONS: dict[str, Operation] = {
    "insert": insert,
    "batchInsert": batch_insert,
    "patch": patch,
    "load": load,
    "loadMany": load_many,
    "queryTable": query_table,
    "deleteMany": delete_many,
    "clearTable": clear_table,
    "dropTable": clear_table,
    **memory.OPERATIONS,
    **jobs.OPERATIONS,
}


@service_mutation(returns=answer)
def handle(ctx: MutationCtx, args: Args) -> Doc:
    """Answer one request of the storage protocol. What goes wrong is thrown."""
    return perform(OPERATIONS, ctx, args)


def _table_of(args: Args) -> Table:
    table = TABLES.get(args["tableName"])
    if table is None:
        raise InvalidArgumentError(
            f"there is no table {args['tableName']!r:.60} for @mastra/convex here: its domains are "
            "memory, workflows, scores, schedules, background tasks and channels",
            path="tableName",
        )
    return table


def _checked(keys: object) -> Doc:
    if not isinstance(keys, dict):
        raise InvalidArgumentError("keys are the members of an object", path="keys")
    return keys


def _keys_of(hint: Doc) -> Doc:
    """The columns that an index hint names."""
    names = {"workflowName": "workflow_name", "runId": "run_id"}
    return {names[name]: value for name, value in hint.items() if name in names}


def _unsupported(doing: str, args: Args) -> InvalidArgumentError:
    return InvalidArgumentError(f"there is no {doing} for table {args['tableName']}", path="op")

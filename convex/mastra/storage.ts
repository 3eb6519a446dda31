/**
 * What `ConvexStore` of `@mastra/convex` calls: its storage protocol over our tables.
 *
 * What Mastra writes is a record like any other, and what others write, Mastra reads. The adapter
 * has one mutation for everything, which takes the operator's admin key.
 */

import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { serviceMutation, storageStep, type Writer } from "../lib/access.js";
import { checkBatch } from "../lib/batches.js";
import { isObject } from "../lib/checks.js";
import { clearNow, newestTime } from "../lib/clearing.js";
import type { Row } from "../lib/columns.js";
import { invalidArgument } from "../lib/errors.js";
import { STEP_RECORDS } from "../lib/steps.js";
import * as jobs from "./jobs.js";
import { MORE } from "./lists.js";
import * as memory from "./memory.js";
import { answer, done, found, operation, type Operation, perform } from "./requests.js";
import { rowOf, type Table, TABLES } from "./tables.js";

const vFilter = v.object({
  field: v.string(),
  value: v.union(v.string(), v.number(), v.boolean(), v.null()),
});

/** Save a row by its id. */
const insert = operation({ record: v.any() }, async (ctx, args) => {
  await tableOf(args).save(ctx, [args.record]);
  return done();
});

/** Save rows by their ids, all of them or none. */
const batchInsert = operation({ records: v.array(v.any()) }, async (ctx, args) => {
  checkBatch(args.records.length, "records");
  await tableOf(args).save(ctx, args.records);
  return done();
});

/** Change columns of a row; whether there is one. */
const patch = operation({ id: v.string(), record: v.any() }, async (ctx, args) => {
  const table = tableOf(args);
  if (!table.change) {
    throw invalidArgument(`there is no patch for table ${args.tableName}`, { path: "op" });
  }
  const { id: _, ...changes } = table.rows.changes(args.record);
  return found(await table.change(ctx, args.id, changes));
});

/** The row with these keys, or null. */
const load = operation({ keys: v.any() }, async (ctx, args) => {
  const table = tableOf(args);
  const record = await table.get(ctx, checked(args.keys));
  return found(record && rowOf(table, record));
});

/** The rows with these ids that there are. */
const loadMany = operation({ ids: v.array(v.string()) }, async (ctx, args) => {
  checkBatch(args.ids.length, "ids");
  const table = tableOf(args);
  const rows: Row[] = [];
  for (const id of new Set(args.ids)) {
    const record = await table.get(ctx, { id });
    if (record) rows.push(rowOf(table, record));
    ctx.load.check("read", "loading rows");
  }
  return found(rows);
});

/** The rows whose columns have these values, by the index that serves; all, or `limit`. */
const queryTable = operation(
  {
    filters: v.optional(v.array(vFilter)),
    limit: v.optional(v.number()),
    indexHint: v.optional(v.any()),
  },
  async (ctx, { filters = [], limit, indexHint, ...args }) => {
    const table = tableOf(args);
    const keys = Object.fromEntries(filters.map(({ field, value }) => [field, value]));
    const hinted = indexHint === undefined ? {} : keysOf(checked(indexHint));
    const most = limit === undefined ? MORE : Math.max(0, Math.trunc(limit));
    const records = await table.list(ctx, { ...keys, ...hinted }, most);
    return found(records.map((record) => rowOf(table, record)));
  },
);

/**
 * Delete the rows with these ids. Unknown ids are fine.
 *
 * They may be all messages of a thread, before the thread itself: what one transaction cannot take
 * is scheduled.
 */
const deleteMany = operation({ ids: v.array(v.string()) }, async (ctx, { tableName, ids }) => {
  await deleteSome(ctx, tableName, ids);
  return done();
});

/** The next rows of many that are to be deleted. */
export const deleteMore = storageStep({
  args: { tableName: v.string(), ids: v.array(v.string()) },
  returns: v.null(),
  handler: async (ctx, { tableName, ids }) => {
    await deleteSome(ctx, tableName, ids);
    return null;
  },
});

async function deleteSome(ctx: Writer, tableName: string, ids: string[]) {
  await tableOf({ tableName }).remove(ctx, ids.slice(0, STEP_RECORDS));
  const rest = ids.slice(STEP_RECORDS);
  if (rest.length === 0) return;
  await ctx.scheduler.runAfter(0, internal.mastra.storage.deleteMore, { tableName, ids: rest });
}

/** Delete every row that a table has now. Threads take their messages along. */
const clearTable = operation({}, async (ctx, args) => {
  const { table } = tableOf(args).rows;
  const until = await newestTime(ctx, table);
  return done(until !== undefined && !(await clearNow(ctx, table, until)));
});

const OPERATIONS: Record<string, Operation> = {
  insert,
  batchInsert,
  patch,
  load,
  loadMany,
  queryTable,
  deleteMany,
  clearTable,
  dropTable: clearTable,
  ...memory.OPERATIONS,
  ...jobs.OPERATIONS,
};

/** Answer one request of the storage protocol. What goes wrong is thrown. */
export const handle = serviceMutation(answer, (ctx, args) => perform(OPERATIONS, ctx, args));

function tableOf({ tableName }: { tableName: string }): Table {
  if (Object.hasOwn(TABLES, tableName)) return TABLES[tableName]!;
  throw invalidArgument(
    `there is no table ${tableName.slice(0, 60)} for @mastra/convex here: its domains are memory, ` +
      "workflows, scores, schedules, background tasks and channels",
    { path: "tableName" },
  );
}

function checked(keys: unknown): Row {
  if (isObject(keys)) return keys;
  throw invalidArgument("keys are the members of an object", { path: "keys" });
}

/** The columns that an index hint names. */
function keysOf({ workflowName, runId }: Row): Row {
  return {
    ...(workflowName !== undefined && { workflow_name: workflowName }),
    ...(runId !== undefined && { run_id: runId }),
  };
}

/**
 * The adapter's tables: how each is read, written and listed through our functions.
 *
 * What comes in are rows, as the adapter has them; what goes out are records of ours, of which `row`
 * makes rows again.
 */

import * as backgroundTasks from "../backgroundTasks.js";
import * as channels from "../channels.js";
import type { Writer } from "../lib/access.js";
import * as columns from "../lib/columns.js";
import type { Row, Rows } from "../lib/columns.js";
import { conflict, invalidArgument } from "../lib/errors.js";
import * as observations from "../lib/observations.js";
import * as records from "../lib/records.js";
import { statusOf } from "../lib/snapshots.js";
import type { Fields, Whole } from "../lib/tables.js";
import * as messages from "../messages.js";
import * as observationalMemory from "../observationalMemory.js";
import * as resources from "../resources.js";
import * as schedules from "../schedules.js";
import * as scores from "../scores.js";
import * as threads from "../threads.js";
import * as workflowRuns from "../workflowRuns.js";
import { arrived, every, type List, MORE } from "./lists.js";

// A record of any of the tables; what goes into one has been checked (lib/columns.ts).
type Doc = any;

/** One of their tables; `keys` are the values that columns are to have, by their names there. */
export interface Table {
  rows: Rows;
  get(ctx: Writer, keys: Row): Promise<Doc | null>;
  list(ctx: Writer, keys: Row, limit: number): Promise<Doc[]>;
  save(ctx: Writer, rows: Row[]): Promise<void>;
  remove(ctx: Writer, ids: string[]): Promise<void>;
  /** Set fields of a record, null takes one away; false if there is none. */
  change?(ctx: Writer, id: string, fields: Doc): Promise<boolean>;
  row?(record: Doc): Row;
}

/** A function that takes one argument. */
interface Call {
  within(ctx: Writer, args: any): Promise<unknown>;
}

/** The row of a record. */
export const rowOf = (table: Table, record: Doc): Row =>
  table.row ? table.row(record) : table.rows.row(record);

const byId = (rows: Rows) => async (ctx: Writer, keys: Row) => {
  const row = await records.byKey(ctx, rows.table as Whole, idOf(rows, keys));
  return row && records.read(ctx, row);
};

function idOf(rows: Rows, keys: Row): string {
  if (Object.keys(keys).length === 1 && typeof keys.id === "string") return keys.id;
  throw invalidArgument(`a record of ${rows.table} is read by its id`, { path: "keys" });
}

/**
 * What a list function gives that takes these fields as criteria; the others are looked at.
 *
 * One that it `needs` must be among them.
 */
const listed =
  (rows: Rows, list: List, criteria = "", fixed: Fields = {}, needs = "") =>
  async (ctx: Writer, keys: Row, limit: number) => {
    const wanted = Object.entries(rows.changes(keys));
    const names = criteria.split(" ");
    const isGiven = ([name, x]: [string, unknown]) => names.includes(name) && x !== null;
    const given = Object.fromEntries(wanted.filter(isGiven));
    if (needs && !(needs in given)) {
      throw invalidArgument(`${rows.table} are listed by ${needs}`, { path: "filters" });
    }
    const left = Object.fromEntries(wanted.filter((each) => !isGiven(each)));
    const enough = Object.keys(left).length > 0 ? MORE : limit;
    const what = `listing ${rows.table}`;
    const found = await every(ctx, list, { ...fixed, ...given }, what, enough);
    return found.filter((each) => fits(each, left)).slice(0, limit);
  };

/** All records of a table that has no list without criteria, as far as they fit. */
const arrivedIn = (rows: Rows) => async (ctx: Writer, keys: Row, limit: number) => {
  const wanted = rows.changes(keys);
  const enough = Object.keys(wanted).length > 0 ? MORE : limit;
  const found = await arrived(ctx, rows.table, `listing ${rows.table}`, enough);
  return found.filter((each) => fits(each, wanted)).slice(0, limit);
};

function fits(record: Doc, wanted: Fields): boolean {
  return Object.entries(wanted).every(([name, value]) => (record[name] ?? null) === value);
}

const saved = (rows: Rows, save: Call, name: string) => async (ctx: Writer, given: Row[]) => {
  for (const row of given) await save.within(ctx, { [name]: rows.record(row) });
};

const removed = (remove: Call) => async (ctx: Writer, ids: string[]) => {
  for (const id of ids) await remove.within(ctx, { id });
};

/** Of records that no function deletes one by one, and that nothing hangs on. */
const deleted = (rows: Rows) => async (ctx: Writer, ids: string[]) => {
  for (const id of ids) {
    const row = await records.byKey(ctx, rows.table as Whole, id);
    if (row) await records.remove(ctx, rows.table, row);
  }
};

/** The record as it is and as it would be. Throws INVALID_ARGUMENT for what is none. */
async function changed(ctx: Writer, rows: Rows, id: string, fields: Fields): Promise<Doc | null> {
  const row = await records.byKey(ctx, rows.table, id);
  if (!row) return null;
  const before: Doc = await records.read(ctx, row);
  return { before, after: rows.checked({ ...before, ...fields }) };
}

async function changeThread(ctx: Writer, id: string, fields: Doc) {
  const found = await changed(ctx, columns.THREADS, id, fields);
  if (!found) return false;
  // Its messages may have been saved by a clock that is ahead of the adapter's.
  const updatedAt = Math.max(found.before.updatedAt, found.after.updatedAt);
  await threads.save.within(ctx, { thread: { ...found.after, updatedAt } });
  return true;
}

async function getMessage(ctx: Writer, keys: Row) {
  const ids = [idOf(columns.MESSAGES, keys)];
  return (await messages.listById.within(ctx, { ids }))[0] ?? null;
}

async function listMessages(ctx: Writer, keys: Row, limit: number): Promise<Doc[]> {
  if ("id" in keys) {
    const found = await getMessage(ctx, { id: keys.id });
    return found && fits(found, columns.MESSAGES.changes(keys)) ? [found] : [];
  }
  const list = "thread_id" in keys ? messages.list : messages.listByResource;
  if (("thread_id" in keys ? keys.thread_id : (keys.resourceId ?? null)) === null) {
    throw invalidArgument("messages are listed by thread_id or resourceId", { path: "filters" });
  }
  return listed(columns.MESSAGES, list, "threadId resourceId")(ctx, keys, limit);
}

async function saveMessages(ctx: Writer, given: Row[]) {
  const checked = given.map((row) => columns.MESSAGES.record(row));
  await messages.save.within(ctx, { messages: checked });
}

async function removeMessages(ctx: Writer, ids: string[]) {
  await messages.remove.within(ctx, { ids });
}

async function getRun(ctx: Writer, keys: Row) {
  if (Object.keys(keys).length === 1 && "id" in keys) return runOfJoined(ctx, String(keys.id));
  const { id, workflowName, ...others } = columns.WORKFLOW_RUNS.changes(keys);
  const isKey = typeof id === "string" && typeof workflowName === "string";
  if (!isKey || Object.keys(others).length > 0) {
    throw invalidArgument("a run is read by workflow_name and run_id", { path: "keys" });
  }
  return workflowRuns.get.within(ctx, { id, workflowName });
}

async function listRuns(ctx: Writer, keys: Row, limit: number): Promise<Doc[]> {
  const criteria = "workflowName resourceId";
  if (!("run_id" in keys)) {
    return listed(columns.WORKFLOW_RUNS, workflowRuns.list, criteria)(ctx, keys, limit);
  }
  const wanted: Doc = columns.WORKFLOW_RUNS.changes(keys);
  const { id, workflowName } = wanted;
  const found = await workflowRuns.get.within(ctx, { id, workflowName });
  return found && fits(found, wanted) ? [found] : [];
}

async function saveRuns(ctx: Writer, given: Row[]) {
  for (const row of given) {
    const run = columns.WORKFLOW_RUNS.record(row);
    if (run.state === undefined) {
      throw invalidArgument("the row of a run has a snapshot", { path: "snapshot" });
    }
    await workflowRuns.persist.within(ctx, { run: { ...run, ...statusOf(run.state) } });
  }
}

async function removeRuns(ctx: Writer, ids: string[]) {
  for (const id of ids) {
    const run = await runOfJoined(ctx, id);
    if (run) await workflowRuns.remove.within(ctx, run);
  }
}

/**
 * The run of a name and an id that the adapter has joined with a hyphen.
 *
 * Throws CONFLICT if that may be several: none of them is to be taken for another.
 */
async function runOfJoined(ctx: Writer, joined: string): Promise<Doc | null> {
  const parts = joined.split("-");
  const runs = [];
  for (let at = 1; at < parts.length; at += 1) {
    const key = [parts.slice(0, at).join("-"), parts.slice(at).join("-")];
    const run = await records.byKey(ctx, "workflowRuns", ...key);
    if (run) runs.push(run);
  }
  if (runs.length > 1) {
    throw conflict(
      `'${joined}' is the name and id of ${runs.length} workflow runs; use workflowRuns:remove, ` +
        "which has both apart",
      { table: "workflowRuns", id: joined },
    );
  }
  return runs[0] ? records.read(ctx, runs[0]) : null;
}

async function saveSchedules(ctx: Writer, given: Row[]) {
  for (const row of given) {
    // The store takes the workflow from the target.
    const schedule = columns.SCHEDULES.record({ ...row, workflow_id: null });
    await schedules.create.within(ctx, { schedule });
  }
}

async function changeTask(ctx: Writer, id: string, update: Doc) {
  if (!(await changed(ctx, columns.BACKGROUND_TASKS, id, update))) return false;
  return backgroundTasks.update.within(ctx, { id, update });
}

async function removeTasks(ctx: Writer, ids: string[]) {
  await backgroundTasks.remove.within(ctx, { tasks: ids.map((id) => ({ id })) });
}

async function listInstallations(ctx: Writer, keys: Row, limit: number): Promise<Doc[]> {
  const names = Object.keys(keys).join(" ");
  if (names !== "platform agentId" && names !== "webhookId") {
    const rows = columns.CHANNEL_INSTALLATIONS;
    const list = listed(rows, channels.listInstallations, "platform", {}, "platform");
    return list(ctx, keys, limit);
  }
  const one: Call =
    names === "webhookId" ? channels.getInstallationByWebhookId : channels.getInstallationByAgent;
  const found = await one.within(ctx, keys);
  return found ? [found] : [];
}

async function getMemory(ctx: Writer, keys: Row) {
  const rows = columns.OBSERVATIONAL_MEMORY;
  const row = await records.byKey(ctx, rows.table, idOf(rows, keys));
  return row && observations.withChunks(ctx, await records.read(ctx, row));
}

/** The thread, or else the resource, that a row of observational memory is of. */
export function subjectOf(lookupKey: unknown): observations.Subject {
  const [, kind, id] = /^(thread|resource):([^]*)$/.exec(String(lookupKey)) ?? [];
  if (kind === "thread") return { threadId: id!, resourceId: "" };
  if (kind === "resource") return { resourceId: id! };
  throw invalidArgument(`${String(lookupKey).slice(0, 60)} is no lookupKey`, { path: "lookupKey" });
}

async function listMemory(ctx: Writer, keys: Row, limit: number): Promise<Doc[]> {
  const { lookupKey, ...others } = keys;
  if (Object.keys(others).length > 0) {
    throw invalidArgument("observational memory is listed by lookupKey", { path: "filters" });
  }
  const subject = subjectOf(lookupKey);
  const what = "listing observational memory";
  return every(ctx, observationalMemory.list, { ...subject }, what, limit);
}

async function saveMemory(ctx: Writer, given: Row[]) {
  for (const row of given) {
    const record = columns.OBSERVATIONAL_MEMORY.record(row);
    record.bufferedObservationChunks = columns.chunksOfRow(row);
    await observationalMemory.save.within(ctx, { record });
  }
}

async function changeMemory(ctx: Writer, id: string, fields: Doc) {
  if (!(await changed(ctx, columns.OBSERVATIONAL_MEMORY, id, fields))) return false;
  // The store sets it.
  const { updatedAt: _, ...change } = fields;
  const entries = Object.entries(change).map(([name, value]) => [name, value ?? undefined]);
  await observationalMemory.update.within(ctx, { ...Object.fromEntries(entries), id });
  return true;
}

async function removeMemory(ctx: Writer, ids: string[]) {
  for (const id of ids) {
    const row = await records.byKey(ctx, "observationalMemory", id);
    if (row) await observations.removeMemory(ctx, row);
  }
}

export const TABLES: Record<string, Table> = {
  mastra_threads: {
    rows: columns.THREADS,
    get: byId(columns.THREADS),
    list: listed(columns.THREADS, threads.list, "resourceId", { orderBy: "createdAt" }),
    save: saved(columns.THREADS, threads.save, "thread"),
    remove: removed(threads.remove),
    change: changeThread,
  },
  mastra_messages: {
    rows: columns.MESSAGES,
    get: getMessage,
    list: listMessages,
    save: saveMessages,
    remove: removeMessages,
  },
  mastra_resources: {
    rows: columns.RESOURCES,
    get: byId(columns.RESOURCES),
    list: arrivedIn(columns.RESOURCES),
    save: saved(columns.RESOURCES, resources.save, "resource"),
    remove: deleted(columns.RESOURCES),
  },
  mastra_workflow_snapshot: {
    rows: columns.WORKFLOW_RUNS,
    get: getRun,
    list: listRuns,
    save: saveRuns,
    remove: removeRuns,
  },
  mastra_scorers: {
    rows: columns.SCORES,
    get: byId(columns.SCORES),
    list: arrivedIn(columns.SCORES),
    save: saved(columns.SCORES, scores.save, "score"),
    remove: deleted(columns.SCORES),
  },
  mastra_schedules: {
    rows: columns.SCHEDULES,
    get: byId(columns.SCHEDULES),
    list: listed(columns.SCHEDULES, schedules.list, "workflowId ownerType ownerId status"),
    save: saveSchedules,
    remove: removed(schedules.remove),
  },
  mastra_schedule_triggers: {
    rows: columns.SCHEDULE_TRIGGERS,
    get: byId(columns.SCHEDULE_TRIGGERS),
    list: listed(columns.SCHEDULE_TRIGGERS, schedules.listTriggers, "scheduleId", {}, "scheduleId"),
    save: saved(columns.SCHEDULE_TRIGGERS, schedules.recordTrigger, "trigger"),
    remove: deleted(columns.SCHEDULE_TRIGGERS),
  },
  mastra_background_tasks: {
    rows: columns.BACKGROUND_TASKS,
    get: byId(columns.BACKGROUND_TASKS),
    list: listed(
      columns.BACKGROUND_TASKS,
      backgroundTasks.list,
      "toolCallId runId threadId resourceId agentId toolName status",
    ),
    save: saved(columns.BACKGROUND_TASKS, backgroundTasks.create, "task"),
    remove: removeTasks,
    change: changeTask,
  },
  mastra_channel_installations: {
    rows: columns.CHANNEL_INSTALLATIONS,
    get: byId(columns.CHANNEL_INSTALLATIONS),
    list: listInstallations,
    save: saved(columns.CHANNEL_INSTALLATIONS, channels.saveInstallation, "installation"),
    remove: removed(channels.removeInstallation),
  },
  mastra_channel_config: {
    rows: columns.CHANNEL_CONFIGS,
    get: byId(columns.CHANNEL_CONFIGS),
    list: arrivedIn(columns.CHANNEL_CONFIGS),
    save: saved(columns.CHANNEL_CONFIGS, channels.saveConfig, "config"),
    remove: removed(channels.removeConfig),
  },
  mastra_observational_memory: {
    rows: columns.OBSERVATIONAL_MEMORY,
    get: getMemory,
    list: listMemory,
    save: saveMemory,
    remove: removeMemory,
    change: changeMemory,
    row: columns.memoryRow,
  },
};

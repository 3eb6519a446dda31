/** What the schema says of the tables that hold records. */

import type { Doc } from "../_generated/dataModel.js";
import schema from "../schema.js";

export const TABLES = [
  "threads",
  "messages",
  "resources",
  "traces",
  "spans",
  "logs",
  "metrics",
  "scoreEvents",
  "feedback",
  "evals",
  "workflowRuns",
  "observationalMemory",
  "observationChunks",
  "scores",
  "schedules",
  "scheduleTriggers",
  "backgroundTasks",
  "channelInstallations",
  "channelConfigs",
] as const;
/** A table whose documents are records of their own. */
export type Whole = (typeof TABLES)[number];
/** Tables whose documents are parts of other tables' records: counted and cleared with them. */
export const PARTS = {
  spans: ["spanBodies", "spanTraces", "traceRoots", "traceBranches"],
} as const;
/** Tables of records that come in batches of hundreds, from many writers. */
export const SIGNALS = ["logs", "metrics", "scoreEvents", "feedback"] as const;
export type Signals = (typeof SIGNALS)[number];
const ALL = [...TABLES, ...PARTS.spans] as const;
export type Table = (typeof ALL)[number];

type Rows = { [T in Table]: Doc<T> };

/** A document as it rests in its table. */
export type Row<T extends Table = Table> = Rows[T];

type Internal =
  | "_id"
  | "_creationTime"
  | "chunked"
  | "messageCount"
  | "lastSeq"
  | "takenOver"
  | "trace"
  | "inputPreview";

/** A record as functions return it. */
export type PublicOf<R extends Row> = Omit<R, Internal>;
export type Public<T extends Table> = PublicOf<Row<T>>;

/** A record as it is stored: with what belongs to it, but not to its callers. */
export type StoredOf<R extends Row> = Omit<R, "_id" | "_creationTime" | "chunked">;
export type Stored<T extends Table> = StoredOf<Row<T>>;

/** Fields of any record. */
export type Fields = Record<string, unknown>;

/** The fields of an index, without those that Convex adds to its end. */
export function indexFields(table: Table, index: string): string[] {
  const found = schema.tables[table][" indexes"]().find((each) => each.indexDescriptor === index);
  if (!found) throw new Error(`table ${table} has no index ${index}`);
  return found.fields;
}

/** What a record is called, and what never changes of it: the last part of its key. */
export function nameOf(table: Table, record: object): string {
  return String((record as Fields)[indexFields(table, "by_key").at(-1)!]);
}

/** Whether a table holds signals. */
export function isSignal(table: Table): boolean {
  return (SIGNALS as readonly string[]).includes(table);
}

/** What decides where a record's totals are kept: those of a trace's spans are in one place. */
export function shardName(table: Table, record: object): string {
  return "trace" in record ? String(record.trace) : nameOf(table, record);
}

const searched = new Map(
  ALL.map((table) => {
    const indexes = schema.tables[table][" indexes"]();
    return [table, new Set(indexes.flatMap((index) => index.fields))];
  }),
);

/** Whether an index needs the field, so that it has to stay in its document. */
export function isIndexed(table: Table, field: string): boolean {
  return searched.get(table)!.has(field);
}

/**
 * The database of convex-test looks at every document of every table for every query, so a test
 * takes the square of its documents. Here it looks only at those that can be meant: it remembers
 * which documents ever had a value in a field of an index. Which of them are there, fit and in what
 * order is still its own to say.
 */

import { jsonToConvex } from "convex/values";
import * as convexTest from "convex-test";
import type { RangeExpression } from "./harnessIntervals.test-util.js";

interface Query {
  source: { type: string; tableName?: string; indexName: string; range: RangeExpression[] };
}
interface Database {
  _schema: { tables: Map<string, { indexes: { fields: string[] }[] }> };
  get(table: string, id: string): object | null;
  _addWrite(id: string, document: Record<string, unknown> | null): void;
  _resolveQuerySource(query: Query): unknown;
  _iterateDocs(table: string, visit: (document: object) => void): void;
}

/** The ids of a table's documents: all, and by the value of each field that is in an index. */
interface Ids {
  all: Set<string>;
  byField: Map<string, Map<unknown, Set<string>>>;
}
const known = new WeakMap<Database, Map<string, Ids>>();

function idsOf(database: Database, table: string): Ids {
  const tables = known.get(database) ?? new Map<string, Ids>();
  known.set(database, tables);
  let ids = tables.get(table);
  if (ids === undefined) {
    const indexes = database._schema.tables.get(table)?.indexes ?? [];
    const fields = new Set(indexes.flatMap((index) => index.fields));
    ids = { all: new Set(), byField: new Map([...fields].map((field) => [field, new Map()])) };
    tables.set(table, ids);
  }
  return ids;
}

/** The fewest documents that hold all that a query's range can mean. */
function meant(database: Database, { source }: Query): Set<string> {
  const ids = idsOf(database, source.tableName ?? source.indexName.split(".")[0]!);
  let fewest = ids.all;
  for (const { type, fieldPath, value } of source.range ?? []) {
    const byValue = ids.byField.get(fieldPath);
    const sought = value?.$undefined === null ? undefined : jsonToConvex(value);
    // Nested fields, and values that are not equal by themselves, are left to convex-test.
    if (type !== "Eq" || !byValue || fieldPath.includes(".") || Object(sought) === sought) continue;
    const found = byValue.get(sought) ?? new Set();
    if (found.size < fewest.size) fewest = found;
  }
  return fewest;
}

// vitest.config.ts has it exported.
const { prototype } = (convexTest as unknown as { DatabaseFake: { prototype: Database } })
  .DatabaseFake;
const { _addWrite, _resolveQuerySource, _iterateDocs } = prototype;

prototype._addWrite = function (id, document) {
  _addWrite.call(this, id, document);
  if (document === null) return;
  const { all, byField } = idsOf(this, id.replace(/^\d+/, ""));
  all.add(id);
  for (const [field, byValue] of byField) {
    const value = document[field];
    const ids = byValue.get(value) ?? new Set();
    byValue.set(value, ids.add(id));
  }
};

let looked: Set<string> | undefined;
prototype._resolveQuerySource = function (query) {
  looked = meant(this, query);
  try {
    return _resolveQuerySource.call(this, query);
  } finally {
    looked = undefined;
  }
};
prototype._iterateDocs = function (table, visit) {
  if (looked === undefined) return _iterateDocs.call(this, table, visit);
  for (const id of looked) {
    const document = this.get(table, id);
    if (document !== null) visit(document);
  }
};

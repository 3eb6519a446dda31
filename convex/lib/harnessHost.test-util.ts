/**
 * Between the functions and convex-test: every call that a function makes to its host goes through
 * here, is noted in its transaction, and is refused where a deployment would refuse it.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { jsonToConvex } from "convex/values";
import {
  beginningWith,
  type Document,
  intervalOf,
  keyOf,
  type RangeExpression,
} from "./harnessIntervals.test-util.js";
import type { Stream, Transaction } from "./harnessTransaction.test-util.js";
import { checkDocument, checkSize } from "./harnessValues.test-util.js";

const MIB = 1024 * 1024;

interface Host {
  syscall(op: string, json: string): string;
  asyncSyscall(op: string, json: string): Promise<string>;
  jsSyscall(op: string, args: unknown): unknown;
}

/** The transaction that is running. */
export const current = new AsyncLocalStorage<Transaction>();

let isWatching = false;

/** Stand before the host that convex-test has installed. */
export function watch(): void {
  if (isWatching) return;
  isWatching = true;
  const global = globalThis as unknown as { Convex: Host };
  const host = global.Convex;
  global.Convex = {
    syscall: (op, json) => {
      const reply = host.syscall(op, json);
      const transaction = current.getStore();
      if (transaction && op === "1.0/queryStream") {
        open(transaction, JSON.parse(json).query, JSON.parse(reply).queryId);
      }
      return reply;
    },
    asyncSyscall: (op, json) => {
      const transaction = current.getStore();
      return transaction ? watched(host, transaction, op, json) : host.asyncSyscall(op, json);
    },
    jsSyscall: (op, args) => host.jsSyscall(op, args),
  };
}

interface Query {
  source: { type: string; indexName: string; range: RangeExpression[]; order: string | null };
  operators: ({ limit: number } | { filter: unknown })[];
}

/** Refuse a query that a deployment would let read too much. */
function checkQuery(transaction: Transaction, { source, operators }: Query, isBounded: boolean) {
  if (transaction.isFree) return;
  if (source.type !== "IndexRange") {
    throw new Error("a query without withIndex reads its whole table");
  }
  if (operators.some((each) => "filter" in each)) {
    throw new Error("what .filter() drops is read all the same; use the range of an index");
  }
  if (!isBounded && !source.range.some(({ type }) => type === "Eq")) {
    throw new Error("a query without a limit, of a range that only grows");
  }
}

// The number of the one page that a function may read.
const PAGE = -1;

/** Begin to read a query. */
function open(transaction: Transaction, query: Query, queryId: number): void {
  const { source, operators } = query;
  const limit = operators.find((each) => "limit" in each)?.limit;
  checkQuery(transaction, query, queryId === PAGE || limit !== undefined);
  if (source.type !== "IndexRange") return;
  const [table, index] = source.indexName.split(".") as [string, string];
  transaction.streams.set(queryId, {
    table,
    index,
    interval: intervalOf(source.range),
    isAscending: source.order !== "desc",
    left: limit ?? Infinity,
  });
}

/** Note a page that was read: the range from its beginning, whatever the cursor, to its last row. */
function notePage(transaction: Transaction, query: Query, reply: { page: any[]; isDone: boolean }) {
  open(transaction, query, PAGE);
  const stream = transaction.streams.get(PAGE)!;
  for (const row of reply.page) advance(transaction, stream, documentIn(row));
  if (reply.isDone) advance(transaction, stream, null);
}
async function watched(host: Host, transaction: Transaction, op: string, json: string) {
  const args = JSON.parse(json);
  const { id } = args;
  const table = args.table ?? id?.replace(/^\d+/, "");
  const reply = () => host.asyncSyscall(op, json);
  switch (op) {
    case "1.0/get": {
      transaction.readById(table, id);
      const found = await reply();
      transaction.documents.set(id, documentIn(JSON.parse(found)));
      return found;
    }
    case "1.0/queryStreamNext": {
      const found = await reply();
      const stream = transaction.streams.get(args.queryId);
      if (stream) advance(transaction, stream, documentIn(JSON.parse(found).value));
      return found;
    }
    case "1.0/insert": {
      // The time is the transaction's, later than that of what is there; the id comes with it.
      const document = { ...documentIn(args.value), _creationTime: Infinity };
      checkDocument(table, { ...document, _id: "0".repeat(32) });
      const made = await reply();
      const _id: string = JSON.parse(made)._id;
      transaction.write(table, _id, null, { ...document, _id });
      return made;
    }
    case "1.0/shallowMerge":
    case "1.0/replace":
    case "1.0/remove": {
      const before = await present(host, transaction, table, id);
      transaction.readById(table, id);
      if (before === null) return reply();
      const after = changed(op, before, args.value);
      if (after) checkDocument(table, after);
      transaction.write(table, id, before, after);
      return reply();
    }
    case "1.0/schedule":
      checkSize("Arguments of a scheduled function", jsonToConvex(args.args), 4 * MIB);
      return reply();
    case "1.0/queryPage": {
      checkQuery(transaction, args.query, true);
      const found = await reply();
      if (args.query.source.type === "IndexRange") {
        notePage(transaction, args.query, JSON.parse(found));
      }
      return found;
    }
    case "1.0/count":
      if (!transaction.isFree) throw new Error(`nothing here uses ${op}, and nothing checks it`);
      return reply();
    default:
      return reply();
  }
}

function documentIn(json: any): Document | null {
  return jsonToConvex(json) as Document | null;
}

/** Note the row that was delivered, or with null the end: a query has read as far as that. */
function advance(transaction: Transaction, stream: Stream, row: Document | null): void {
  const { table, index, interval, isAscending } = stream;
  if (row === null) {
    if (stream.left > 0) transaction.read(table, index, interval);
    return;
  }
  stream.left -= 1;
  transaction.documents.set(row._id as string, row);
  const here = beginningWith(keyOf(row, transaction.fieldsOf(table, index)));
  const { low, high } = interval;
  transaction.read(table, index, isAscending ? { low, high: here.high } : { low: here.low, high });
}

/** A document as the transaction sees it, which mostly has read it before. */
async function present(host: Host, transaction: Transaction, table: string, id: string) {
  const known = transaction.documents.get(id);
  if (known !== undefined) return known;
  return documentIn(JSON.parse(await host.asyncSyscall("1.0/get", JSON.stringify({ table, id }))));
}

/** What a patch, replacement or removal makes of a document. */
function changed(op: string, before: Document, value: any): Document | null {
  if (op === "1.0/remove") return null;
  const { _id, _creationTime } = before as Document & { _id: string; _creationTime: number };
  if (op === "1.0/replace") return { ...documentIn(value), _id, _creationTime };
  const merged: Document = { ...before };
  for (const [name, field] of Object.entries<any>(value)) {
    if (field?.$undefined === null) delete merged[name];
    else merged[name] = jsonToConvex(field);
  }
  return merged;
}

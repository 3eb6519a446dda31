/**
 * Between the functions and convex-test: every call that a function makes to its host goes through
 * here, is noted in its transaction, and is refused where a deployment would refuse it.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { jsonToConvex } from "convex/values";
import {
  beginningWith,
  type Document,
  type Interval,
  intervalOf,
  keyOf,
  type RangeExpression,
} from "./harnessIntervals.test-util.js";
import type { Transaction } from "./harnessTransaction.test-util.js";
import { checkDocument, checkSize } from "./harnessValues.test-util.js";

const MIB = 1024 * 1024;

interface Host {
  syscall(op: string, json: string): string;
  asyncSyscall(op: string, json: string): Promise<string>;
  jsSyscall(op: string, args: unknown): unknown;
}

/** The transaction that is running. */
export const current = new AsyncLocalStorage<Transaction>();

/** Stand before the host that convex-test has installed; once is enough. */
export function watch(): void {
  const global = globalThis as { Convex?: Host };
  const host = global.Convex!;
  if (watched.has(host)) return;
  const watching: Host = {
    syscall: (op, json) => syscall(host, op, JSON.parse(json), json),
    asyncSyscall: (op, json) => asyncSyscall(host, op, JSON.parse(json), json),
    jsSyscall: (op, args) => host.jsSyscall(op, args),
  };
  watched.add(watching);
  global.Convex = watching;
}
const watched = new WeakSet<Host>();

/** A query that is being read, row by row. */
interface Stream {
  table: string;
  index: string;
  interval: Interval;
  isAscending: boolean;
  left: number;
}
const streams = new WeakMap<Transaction, Map<number, Stream>>();

interface Query {
  source: {
    type: "IndexRange" | "FullTableScan" | "Search";
    indexName: string;
    range: RangeExpression[];
    order: "asc" | "desc" | null;
  };
  operators: ({ limit: number } | { filter: unknown })[];
}

function syscall(host: Host, op: string, args: any, json: string): string {
  const transaction = current.getStore();
  const reply = host.syscall(op, json);
  if (!transaction || op !== "1.0/queryStream") return reply;
  const { source, operators } = args.query as Query;
  if (source.type !== "IndexRange") {
    if (transaction.free) return reply;
    throw new Error("a query without withIndex reads its whole table");
  }
  const limit = operators.find((each) => "limit" in each)?.limit;
  if (!transaction.free) {
    if (operators.some((each) => "filter" in each)) {
      throw new Error("what .filter() drops is read all the same; use the range of an index");
    }
    if (limit === undefined && !source.range.some(({ type }) => type === "Eq")) {
      throw new Error("a query without a limit, of a range that only grows");
    }
  }
  const [table, index] = source.indexName.split(".") as [string, string];
  const open = streams.get(transaction) ?? new Map<number, Stream>();
  streams.set(transaction, open);
  open.set(JSON.parse(reply).queryId, {
    table,
    index,
    interval: intervalOf(source.range),
    isAscending: source.order !== "desc",
    left: limit ?? Infinity,
  });
  return reply;
}

async function asyncSyscall(host: Host, op: string, args: any, json: string): Promise<string> {
  const transaction = current.getStore();
  if (!transaction) return host.asyncSyscall(op, json);
  const { id } = args;
  const table = args.table ?? id?.replace(/^\d+/, "");
  const reply = () => host.asyncSyscall(op, json);
  switch (op) {
    case "1.0/get": {
      transaction.readById(table, id);
      const found = await reply();
      transaction.learn(id, documentIn(JSON.parse(found)));
      return found;
    }
    case "1.0/queryStreamNext": {
      const found = await reply();
      const stream = streams.get(transaction)?.get(args.queryId);
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
    case "1.0/queryPage":
    case "1.0/count":
      if (!transaction.free) throw new Error(`nothing here uses ${op}, and nothing checks it`);
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
  transaction.learn(row._id as string, row);
  const here = beginningWith(keyOf(row, transaction.fieldsOf(table, index)));
  const { low, high } = interval;
  transaction.read(table, index, isAscending ? { low, high: here.high } : { low: here.low, high });
}

/** A document as the transaction sees it, which mostly has read it before. */
async function present(host: Host, transaction: Transaction, table: string, id: string) {
  const known = transaction.recall(id);
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

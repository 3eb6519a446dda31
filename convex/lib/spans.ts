/** Spans: a row that lists look at, a body apart from it, and the trace that both belong to. */

import { spanBodyFields } from "../validators.js";
import { owns, type Reader, type Writer } from "./access.js";
import * as chunks from "./chunks.js";
import * as counters from "./counters.js";
import { invalidArgument, limitExceeded } from "./errors.js";
import { Facets } from "./facets.js";
import { keepBranch, keepFailed, keepRoot } from "./listed.js";
import { merge } from "./payloads.js";
import * as records from "./records.js";
import type { Fields, Public, Row, Stored } from "./tables.js";

/** Several look-ups a span have to fit into one transaction. */
export const MAX_SPANS = 500;
/** Each trace is looked up, hidden, and its spans are looked for. */
export const MAX_TRACES = 50;
/** The counter of a trace's spans with an error. */
export const ERRORS = "errors";

export type Span = Public<"spans"> & Omit<Public<"spanBodies">, "spanId">;
type Trace = Row<"spanTraces">;
type Body = chunks.Loaded<Row<"spanBodies">>;

/** Throw LIMIT_EXCEEDED for more than one call takes. */
export function checkCount(count: number, what: string, most: number): void {
  if (count > most) {
    throw limitExceeded(`${count} ${what} in one call, which takes at most ${most}; split them`, {
      limit: most,
      given: count,
    });
  }
}

/** The trace with this id if the caller may see what belongs to it. */
export async function visibleTrace(ctx: Reader, traceId: string): Promise<Trace | null> {
  const trace = await records.byKey(ctx, "spanTraces", traceId);
  return trace && owns(ctx, trace.resourceId) ? trace : null;
}

/** The span of a row, with its body. */
export async function whole(ctx: Reader, row: Row<"spans">): Promise<Span> {
  const body = await records.byKey(ctx, "spanBodies", row.trace, row.spanId);
  return { ...(await records.read(ctx, row)), ...(body && (await records.read(ctx, body))) };
}

/** The spans of these keys that there are, and how many keys this call had no room for. */
export async function someByKey(ctx: Reader, keys: { traceId: string; spanId: string }[]) {
  checkCount(keys.length, "ids of spans", MAX_SPANS);
  const page: Span[] = [];
  const traces = new Map<string, Trace | null>();
  for (const [looked, { traceId, spanId }] of keys.entries()) {
    if (ctx.load.room < 3 * chunks.ROW_READ_BYTES) return { page, rest: keys.length - looked };
    if (!traces.has(traceId)) traces.set(traceId, await visibleTrace(ctx, traceId));
    const trace = traces.get(traceId);
    const row = trace && (await records.byKey(ctx, "spans", trace._id, spanId));
    if (!row) continue;
    const body = await records.byKey(ctx, "spanBodies", trace._id, spanId);
    const text = chunks.chunkedBytes(row) + (body ? chunks.chunkedBytes(body) : 0);
    if (page.length > 0 && text > ctx.load.room) return { page, rest: keys.length - looked };
    page.push({ ...(await records.read(ctx, row)), ...(body && (await records.read(ctx, body))) });
  }
  return { page, rest: 0 };
}

type Head = Pick<Trace, "headSpanId" | "resourceId" | "organizationId" | "startedAt">;

/** The traces that one mutation touches: read once, written once at the end. */
export class Traces {
  private readonly found = new Map<string, Trace | null>();
  // What is to be set, and how many spans with an error came in or went, by the trace's id.
  private readonly heads = new Map<string, Head>();
  private readonly roots = new Map<string, Stored<"spans"> | null>();
  private readonly errors = new Map<string, number>();
  // Traces that this mutation has made, and the ids of the spans that they have: no others.
  private readonly made = new Map<string, Set<string>>();
  private readonly facets: Facets;

  constructor(private readonly ctx: Writer) {
    this.facets = new Facets(ctx, "spans");
  }

  /** The trace as it was before this mutation, or as it made it. */
  async get(traceId: string): Promise<Trace | null> {
    if (!this.found.has(traceId)) {
      this.found.set(traceId, await records.byKey(this.ctx, "spanTraces", traceId));
    }
    return this.found.get(traceId)!;
  }

  /** The trace of a span, made if the span is its first. */
  async obtain({ traceId, spanId }: { traceId: string; spanId: string }): Promise<Trace> {
    const trace = await this.get(traceId);
    if (trace) return trace;
    await records.insert(this.ctx, "spanTraces", { traceId, headSpanId: spanId, failed: false });
    const made = (await records.byKey(this.ctx, "spanTraces", traceId))!;
    this.found.set(traceId, made);
    this.made.set(made._id, new Set());
    return made;
  }

  /** The row of a span, if it is there; where it cannot be, nobody looks for it. */
  async rowOf(trace: string, spanId: string): Promise<Row<"spans"> | null> {
    const made = this.made.get(trace);
    if (!made || made.has(spanId)) return records.byKey(this.ctx, "spans", trace, spanId);
    made.add(spanId);
    return null;
  }

  /** Take over what the trace, the lists and discovery have of its spans' rows. */
  async changed(before: Fields | null, after: Stored<"spans">): Promise<void> {
    await keepBranch(this.ctx, before, after);
    this.facets.note(after);
    const { traceId, spanId } = after;
    const delta = (after.error === undefined ? 0 : 1) - (before?.error === undefined ? 0 : 1);
    this.errors.set(traceId, (this.errors.get(traceId) ?? 0) + delta);
    const isRoot = after.parentSpanId === undefined;
    const head = this.heads.get(traceId) ?? this.found.get(traceId)!;
    if (!isRoot && head.headSpanId !== spanId) return;
    const { resourceId, organizationId } = after;
    const startedAt = isRoot ? after.startedAt : undefined;
    this.heads.set(traceId, { headSpanId: spanId, resourceId, organizationId, startedAt });
    this.roots.set(traceId, isRoot ? after : null);
  }

  /** Patch the traces that have changed, and add what is new to discovery. */
  async write(): Promise<void> {
    await this.facets.write();
    for (const [traceId, delta] of this.errors) {
      const { _id, _creationTime, ...trace } = this.found.get(traceId)!;
      const fields: Fields = { ...trace, ...this.heads.get(traceId) };
      if (delta !== 0) {
        fields.failed = (await counters.add(this.ctx, "spans", ERRORS, _id, delta)) > 0;
      }
      const before = await chunks.load(this.ctx, this.found.get(traceId)!);
      await records.replace(this.ctx, "spanTraces", before, given(fields) as Stored<"spanTraces">);
      const root = this.roots.get(traceId);
      if (root !== undefined) {
        const row = this.made.has(_id) ? null : await records.byKey(this.ctx, "traceRoots", _id);
        await keepRoot(this.ctx, row, root, Boolean(fields.failed));
      } else if (fields.failed !== trace.failed) {
        await keepFailed(this.ctx, _id, Boolean(fields.failed));
      }
    }
  }
}

/** The fields that are not undefined. */
function given(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** What of a span's fields is its row's, and what its body's. */
function split(fields: Fields): [row: Fields, body: Fields] {
  const parts: [Fields, Fields] = [{}, {}];
  for (const [name, value] of Object.entries(given(fields))) {
    parts[name in spanBodyFields ? 1 : 0][name] = value;
  }
  return parts;
}

/** Save spans; returns when the last of them has changed. */
export async function saveSpans(ctx: Writer, spans: Given[]): Promise<number> {
  checkCount(spans.length, "spans", MAX_SPANS);
  const traces = new Traces(ctx);
  let newest = 0;
  for (const span of spans) {
    if (!span.traceId || !span.spanId) {
      throw invalidArgument("a span's traceId and spanId must not be empty; give both");
    }
    newest = Math.max(newest, await saveSpan(ctx, traces, span));
    ctx.load.check("read", "saving spans");
  }
  await traces.write();
  return newest;
}

type Given = Omit<Span, "createdAt" | "updatedAt"> & {
  createdAt?: number;
  updatedAt?: number;
  inputPreview?: string;
};

/** Make a span what its trace has under its id; returns when it has changed. */
async function saveSpan(ctx: Writer, traces: Traces, span: Given): Promise<number> {
  const { _id: trace } = await traces.obtain(span);
  const [fields, body] = split(span);
  const before = await traces.rowOf(trace, span.spanId);
  if (before) {
    const stored = await bodyOf(ctx, before);
    return writeOver(ctx, traces, await chunks.load(ctx, before), fields, stored, body);
  }
  const times = { createdAt: ctx.now, updatedAt: ctx.now };
  const row = { ...times, ...fields, trace } as unknown as Stored<"spans">;
  await records.insert(ctx, "spans", row);
  if (Object.keys(body).length > 0) {
    await records.insert(ctx, "spanBodies", { trace, spanId: span.spanId, ...body });
  }
  await traces.changed(null, row);
  return row.updatedAt;
}

/** Set fields of a span, and remove those that are `cleared`. */
export async function changeSpan(
  ctx: Writer,
  traces: Traces,
  row: Row<"spans">,
  change: Fields & { cleared?: string[] },
): Promise<number> {
  const { traceId: _t, spanId: _s, cleared = [], ...set } = change;
  const fields = { ...Object.fromEntries(cleared.map((name) => [name, undefined])), ...set };
  const touchesBody = Object.keys(fields).some((name) => name in spanBodyFields);
  const stored = touchesBody ? await bodyOf(ctx, row) : null;
  const before = await chunks.load(ctx, row);
  const old = stored?.record;
  if (typeof fields.extra === "string") fields.extra = merge(old?.extra, fields.extra);
  const { updatedAt, trace, ...kept } = before.record;
  const [after, body] = split({ ...kept, ...contentOf(old), ...fields });
  return writeOver(ctx, traces, before, after, stored, body);
}

/** The body of a row's span, loaded once: it may be as large as a transaction can read. */
async function bodyOf(ctx: Reader, row: Row<"spans">): Promise<Body | null> {
  const body = await records.byKey(ctx, "spanBodies", row.trace, row.spanId);
  return body && chunks.load(ctx, body);
}

function contentOf(stored: Fields | undefined): Fields {
  const { trace, spanId, ...content } = stored ?? {};
  return content;
}

/**
 * Make `row` and `body` the whole span, where `before` and `stored` are; not if they are equal.
 *
 * A span keeps its `createdAt`. Returns when it has changed.
 */
async function writeOver(
  ctx: Writer,
  traces: Traces,
  before: chunks.Loaded<Row<"spans">>,
  row: Fields,
  stored: Body | null,
  body: Fields,
): Promise<number> {
  const old = before.record;
  const { trace, spanId } = old;
  const sameBody = records.equal(contentOf(stored?.record), body);
  const after: Fields = { ...row, trace, createdAt: old.createdAt };
  if (sameBody && records.equal({ updatedAt: old.updatedAt, ...after }, old)) return old.updatedAt;
  const document = { updatedAt: records.later(ctx, old), ...after } as unknown as Stored<"spans">;
  await records.replace(ctx, "spans", before, document);
  await traces.changed(old, document);
  if (sameBody) return document.updatedAt;
  if (!stored) await records.insert(ctx, "spanBodies", { trace, spanId, ...body });
  else if (Object.keys(body).length === 0) await records.removeLoaded(ctx, "spanBodies", stored);
  else await records.replace(ctx, "spanBodies", stored, { trace, spanId, ...body });
  return document.updatedAt;
}

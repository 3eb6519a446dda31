/** Traces of many spans, and of large ones: what one call reads and writes stays bounded. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  dump,
  measured,
  mutation,
  overlaps,
  query,
  raced,
  refusal,
  settle,
  step,
} from "./lib/harness.test-util.js";

const MIB = 1024 * 1024;
const BODY = JSON.stringify("b".repeat(3 * 1024));

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const span = <F extends object>(spanId: string, fields?: F) => ({
  traceId: "t",
  spanId,
  name: "n",
  spanType: "generic",
  startedAt: 1,
  ...(fields as F),
});

const keys = (ids: string[]) => ids.map((spanId) => ({ traceId: "t", spanId }));

const save = (deployment: Deployment, ...spans: Record<string, unknown>[]) =>
  mutation(deployment, "spans:save", { spans });

/**
 * A trace of many spans, put into the tables as saving them would. One in ten has a body, of 3 KiB:
 * convex-test goes through a whole table for each look-up.
 */
async function longTrace(deployment: Deployment, count: number) {
  await save(deployment, span("s0", { startedAt: 0, input: BODY }));
  for (let first = 1; first < count; first += 2000) {
    await deployment.run(async (ctx) => {
      const { _id: trace } = (await ctx.db.query("spanTraces").first())!;
      const times = { createdAt: 0, updatedAt: 0 };
      for (let n = first; n < first + 2000 && n < count; n += 1) {
        const parentSpanId = n < 101 ? "s0" : `s${Math.floor(n / 100)}`;
        const row = span(`s${n}`, { startedAt: n, parentSpanId });
        await ctx.db.insert("spans", { trace, ...row, ...times });
        if (n % 10 === 0)
          await ctx.db.insert("spanBodies", { trace, spanId: `s${n}`, input: BODY });
      }
    });
  }
}

/** Pages of a trace's structure, all or so many, and the most that one call read. */
async function structure(deployment: Deployment, { order = "asc", pages = Infinity } = {}) {
  const ids: string[] = [];
  const most = { documents: 0, bytes: 0 };
  let cursor: string | null = null;
  let left = pages;
  do {
    const args = { traceId: "t", order, limit: 500, ...(cursor && { cursor }) };
    const found = await measured(deployment, "spans:list", args);
    ids.push(...found.reply.page.map(({ spanId }: { spanId: string }) => spanId));
    most.documents = Math.max(most.documents, found.documents);
    most.bytes = Math.max(most.bytes, found.bytes);
    cursor = found.reply.cursor;
    left -= 1;
  } while (cursor !== null && left > 0);
  return { ids, most };
}

test("a trace of 10,000 spans is opened", { timeout: 120_000 }, async () => {
  const deployment = deploy();
  await longTrace(deployment, 10_000);
  const input = JSON.stringify("x".repeat(3 * MIB));
  await save(deployment, span("s5007", { startedAt: 5007, parentSpanId: "s50", input }));
  // Pages of both ends: for each page, convex-test goes through the whole table several times.
  const { ids, most } = await structure(deployment, { pages: 2 });
  expect(ids).toEqual(Array.from({ length: 1000 }, (_, i) => `s${i}`));
  const end = await structure(deployment, { order: "desc", pages: 1 });
  expect(end.ids).toEqual(Array.from({ length: 500 }, (_, i) => `s${9999 - i}`));
  expect(end.most.documents).toBeLessThanOrEqual(506);
  // Its row is read from the list, without a body.
  const all = { orderBy: "startedAt", order: "desc", limit: 20 };
  const listed = await measured(deployment, "spans:listTraces", all);
  expect([listed.reply.page.length, listed.documents]).toEqual([1, 2]);
  expect(listed.bytes).toBeLessThan(1000);
  // A page reads its rows, the trace, the row after, and where its walks began: no body.
  expect(most.documents).toBeLessThanOrEqual(506);
  expect(most.bytes).toBeLessThan(500 * 400);

  const branch = ["s50", ...Array.from({ length: 8 }, (_, i) => `s${5000 + i}`)];
  const found: string[] = [];
  for (let left = branch; left.length > 0;) {
    const args = { spans: keys(left) };
    const { reply, bytes, documents } = await measured(deployment, "spans:listById", args);
    expect(bytes).toBeLessThan(8.1 * MIB);
    expect(documents).toBeLessThan(2 * branch.length + 10);
    found.push(...reply.page.map(({ spanId }: { spanId: string }) => spanId));
    left = left.slice(left.length - reply.rest);
  }
  expect(found).toEqual(branch);
  const large = await query(deployment, "spans:get", { traceId: "t", spanId: "s5007" });
  expect(large.input).toHaveLength(3 * MIB + 2);
});

test("a trace of 2,500 spans is deleted, and comes anew", { timeout: 120_000 }, async () => {
  const deployment = deploy();
  await longTrace(deployment, 2500);
  expect((await structure(deployment)).ids).toEqual(
    Array.from({ length: 2500 }, (_, i) => `s${i}`),
  );
  await mutation(deployment, "spans:removeTraces", { traceIds: ["t"] });
  expect(await query(deployment, "spans:getRoot", { traceId: "t" })).toBeNull();
  expect((await structure(deployment)).ids).toEqual([]);
  // The trace may come anew while its old spans are being deleted.
  await step(deployment);
  await save(deployment, span("new"));
  expect(await settle(deployment)).toBeGreaterThanOrEqual(4);
  expect((await structure(deployment)).ids).toEqual(["new"]);
  const left = await dump(deployment);
  expect([left.spans!.length, left.spanTraces!.length]).toEqual([1, 1]);
  expect([left.spanBodies, left.chunks, left.counters]).toEqual([[], [], []]);
});

test(
  "bodies that fill a transaction are read and deleted one by one",
  { timeout: 60_000 },
  async () => {
    const deployment = deploy();
    const input = JSON.stringify("x".repeat(6.9 * MIB));
    for (const name of ["a", "b", "c"]) await save(deployment, span(name, { input }));
    expect(await refusal(save(deployment, span("d", { input: input + " ".repeat(MIB) })))).toBe(
      "LIMIT_EXCEEDED",
    );
    let left = ["a", "b", "c"];
    for (let calls = 1; left.length > 0; calls += 1) {
      const { reply, bytes } = await measured(deployment, "spans:listById", {
        spans: keys(left),
      });
      expect(bytes).toBeLessThan(16 * MIB);
      expect(reply.page).toHaveLength(1);
      expect(reply.page[0].input === input).toBe(true);
      left = left.slice(left.length - reply.rest);
      expect(calls).toBeLessThanOrEqual(3);
    }
    await mutation(deployment, "spans:update", {
      spans: [{ traceId: "t", spanId: "a", output: "1", cleared: ["input"] }],
    });
    await mutation(deployment, "spans:removeTraces", { traceIds: ["t"] });
    await settle(deployment);
    const { spans, spanBodies, chunks, totals } = await dump(deployment);
    expect([spans, spanBodies, chunks]).toEqual([[], [], []]);
    expect(totals!.reduce((sum, each) => sum + each.bytes + each.documents, 0)).toBe(0);
  },
);

test("500 spans are saved over, changed and deleted", { timeout: 120_000 }, async () => {
  const deployment = deploy();
  const every = (fields: (n: number) => object) =>
    Array.from({ length: 500 }, (_, n) => ({
      traceId: `t${n % 50}`,
      spanId: `s${n}`,
      ...fields(n),
    }));
  const fill = (input: string) =>
    save(
      deployment,
      ...every((n) => ({
        // Each is a branch too.
        ...{ name: "n", spanType: "tool_call", startedAt: n, input, error: "1", runId: "r" },
        ...(n >= 50 && { parentSpanId: `s${n % 50}` }),
      })),
    );
  await fill("1");
  await fill("2");
  await mutation(deployment, "spans:update", {
    spans: every(() => ({ output: "3", endedAt: 9, cleared: ["error", "input"] })),
  });
  const changed = await dump(deployment);
  expect(changed.spanBodies!.every(({ input, output }) => !input && output === "3")).toBe(true);
  expect(changed.spanTraces!.some(({ failed }) => failed)).toBe(false);
  expect(changed.counters).toEqual([]);
  expect(changed.traceRoots).toHaveLength(50);
  expect(changed.traceBranches).toHaveLength(500);
  expect(changed.traceRoots!.some(({ failed }) => failed)).toBe(false);
  expect(changed.traceBranches!.every(({ status }) => status === "success")).toBe(true);
  await mutation(deployment, "spans:removeTraces", {
    traceIds: Array.from({ length: 50 }, (_, n) => `t${n}`),
  });
  await settle(deployment);
  const { spanTraces, spans, spanBodies, traceRoots, traceBranches } = await dump(deployment);
  expect([spanTraces, spans, spanBodies, traceRoots, traceBranches]).toEqual([[], [], [], [], []]);
});

test("more traces than one transaction clears are cleared", { timeout: 60_000 }, async () => {
  const deployment = deploy();
  const roots = Array.from({ length: 120 }, (_, n) =>
    span("root", { traceId: `t${n}`, error: "1", input: "1" }),
  );
  await save(deployment, ...roots);
  await mutation(deployment, "system:clear", { table: "spans" });
  expect(await settle(deployment)).toBeGreaterThanOrEqual(2);
  const { spanTraces, spans, spanBodies, counters } = await dump(deployment);
  expect([spanTraces, spans, spanBodies, counters]).toEqual([[], [], [], []]);
});

describe("writers at the same time", () => {
  const saving =
    (deployment: Deployment, ...spans: Record<string, unknown>[]) =>
    () =>
      save(deployment, ...spans);

  test("of one trace meet only where its totals are kept", async () => {
    const deployment = deploy();
    await save(deployment, span("root"), span("a", { parentSpanId: "root" }));
    const child = (name: string) => saving(deployment, span(name, { parentSpanId: "root" }));
    const met = await overlaps(child("b"), child("c"));
    expect(met.every(({ table }) => table === "totals")).toBe(true);
    // What does meet is seen.
    expect(await overlaps(child("b"), child("b"))).not.toEqual(met);
  });

  test("do not disturb who watches pages that were full", async () => {
    const deployment = deploy();
    await save(
      deployment,
      ...Array.from({ length: 30 }, (_, n) => span(`s${n}`, { startedAt: n })),
    );
    const first = { traceId: "t", order: "asc", limit: 10 };
    const watching = (args: Record<string, unknown>) => () => query(deployment, "spans:list", args);
    const { cursor } = await query(deployment, "spans:list", first);
    const child = saving(deployment, span("new", { parentSpanId: "s0", startedAt: 0 }));
    const ended = () =>
      mutation(deployment, "spans:update", {
        spans: [{ traceId: "t", spanId: "s5", output: "1", parentSpanId: "s0", endedAt: 9 }],
      });
    expect(await overlaps(watching(first), child)).toEqual([]);
    expect(await overlaps(watching({ ...first, cursor }), child)).toEqual([]);
    expect(await overlaps(watching({ ...first, cursor }), ended)).toEqual([]);
    expect(await overlaps(watching(first), ended)).not.toEqual([]);
    expect(await overlaps(watching({ ...first, limit: 100 }), child)).not.toEqual([]);
  });

  test("lose nothing when the trace is deleted or made meanwhile", async () => {
    const deployment = deploy();
    await save(deployment, span("a"));
    const removing = () => mutation(deployment, "spans:removeTraces", { traceIds: ["t"] });
    await raced(saving(deployment, span("b")), removing);
    expect((await structure(deployment)).ids).toEqual(["b"]);
    await raced(
      saving(deployment, span("c", { traceId: "u" })),
      saving(deployment, span("d", { traceId: "u" })),
    );
    const { spanTraces } = await dump(deployment);
    expect(spanTraces).toHaveLength(2);
  });
});

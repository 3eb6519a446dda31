/** Lists of traces and branches: what one call reads, and who meets whom. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  measured,
  mutation,
  overlaps,
  query,
  refusal,
} from "./lib/harness.test-util.js";

const MIB = 1024 * 1024;
const MANY = 300;
const LIMIT = 20;
const byStart = { orderBy: "startedAt", order: "desc", limit: LIMIT };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const root = (traceId: string, fields: object = {}) => ({
  ...{ traceId, spanId: "root", name: "n", spanType: "agent_run", startedAt: 1 },
  ...fields,
});
const save = (deployment: Deployment, ...spans: Record<string, unknown>[]) =>
  mutation(deployment, "spans:save", { spans });

/** Traces of two resources, put into the tables as saving them would; each has a large body. */
async function filled(): Promise<Deployment> {
  const deployment = deploy();
  await deployment.run(async (ctx) => {
    for (let n = 0; n < MANY; n += 1) {
      const mine = n % 2 ? "other" : "mine";
      const owner = { resourceId: mine, threadId: mine, runId: mine, entityId: mine };
      const own = { traceId: `t${n}`, headSpanId: "root", failed: false };
      const times = { startedAt: n, createdAt: 0, updatedAt: 0 };
      const trace = await ctx.db.insert("spanTraces", { ...own, resourceId: mine, startedAt: n });
      const span = { ...root(`t${n}`), ...owner, ...times, metadata: "x".repeat(200) };
      await ctx.db.insert("spans", { trace, ...span });
      await ctx.db.insert("spanBodies", { trace, spanId: "root", input: "x".repeat(20_000) });
      const listed = { trace, spanId: "root", startedAt: n, endsAt: MANY - n, status: "success" };
      await ctx.db.insert("traceRoots", { ...listed, ...owner, messageId: mine, failed: false });
      await ctx.db.insert("traceBranches", { ...listed, ...owner });
    }
  });
  return deployment;
}

test("a page reads its rows and no body, by each criterion and in each order", async () => {
  const deployment = await filled();
  const mine = ["resourceId", "threadId", "runId", "entityId"].map((name) => ({ [name]: "mine" }));
  for (const [path, table, criteria] of [
    ["spans:listTraces", "traceRoots", [{}, ...mine, { messageId: "mine" }, { status: "success" }]],
    ["spans:listBranches", "traceBranches", [{}, ...mine]],
  ] as const) {
    for (const by of criteria) {
      for (const orderBy of ["startedAt", "endedAt"]) {
        const args = { ...byStart, ...by, orderBy, withTotal: true };
        const { reply, documents, bytes, indexes } = await measured(deployment, path, args);
        const step = Object.values(by).includes("mine") ? 2 : 1;
        const first = orderBy === "startedAt" ? MANY - step : 0;
        const ids = Array.from({ length: LIMIT }, (_, n) =>
          orderBy === "startedAt" ? first - n * step : first + n * step,
        );
        expect(reply.page.map(({ traceId }: { traceId: string }) => traceId)).toEqual(
          ids.map((n) => `t${n}`),
        );
        // A row of the list and its span's; of branches the trace too. Then the row after, a total.
        expect(documents).toBeLessThanOrEqual((table === "traceRoots" ? 2 : 3) * LIMIT + 2);
        expect(bytes).toBeLessThan((LIMIT + 2) * 1100);
        expect(indexes.some((name) => name.startsWith(`${table}.`))).toBe(true);
      }
    }
  }
});

test("a walk for what is rare ends within bounds, and goes on", async () => {
  const deployment = await filled();
  await deployment.run(async (ctx) => {
    for (let n = 0; n < 1300; n += 1) {
      // What is left of a trace that was deleted: its branches are passed over.
      const listed = { trace: "gone", spanId: `s${n}`, startedAt: 1000 + n, endsAt: n };
      await ctx.db.insert("traceBranches", { ...listed, status: "success" });
    }
  });
  const found: string[] = [];
  let calls = 0;
  let cursor: string | null = null;
  do {
    const args = { ...byStart, serviceName: "none", ...(cursor && { cursor }) };
    const { reply, documents } = await measured(deployment, "spans:listBranches", args);
    expect(documents).toBeLessThanOrEqual(3 * 1400);
    found.push(...reply.page);
    cursor = reply.cursor;
    calls += 1;
  } while (cursor !== null);
  expect([found, calls]).toEqual([[], 2]);
});

test("rows of several MiB come in several pages", async () => {
  const deployment = deploy();
  const metadata = JSON.stringify("x".repeat(3 * MIB));
  for (const name of ["a", "b", "c"]) await save(deployment, root(name, { metadata }));
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const args = { ...byStart, ...(cursor && { cursor }) };
    const { reply, bytes } = await measured(deployment, "spans:listTraces", args);
    expect(bytes).toBeLessThan(8.1 * MIB);
    expect(reply.page.every((row: any) => row.metadata === metadata)).toBe(true);
    found.push(...reply.page.map(({ traceId }: { traceId: string }) => traceId));
    cursor = reply.cursor;
  } while (cursor !== null);
  expect(found).toEqual(["c", "b", "a"]);
  const arrived = { list: "traces", after: 0, limit: 9 };
  const { page, isDone } = await query(deployment, "spans:listArrived", arrived);
  expect([page.length, isDone]).toEqual([2, false]);
});

test("who watches a list is disturbed by what is in it alone", async () => {
  const deployment = deploy();
  const alice = { resourceId: "alice", threadId: "t", entityId: "w" };
  await save(deployment, root("a", alice), root("b", { resourceId: "bob" }));
  const list = () => query(deployment, "spans:listTraces", { ...byStart, resourceId: "alice" });
  const saving =
    (...spans: Record<string, unknown>[]) =>
    () =>
      save(deployment, ...spans);
  const child = { spanId: "x", parentSpanId: "root", spanType: "generic" };
  expect(await overlaps(list, saving(root("a", { ...alice, ...child })))).toEqual([]);
  expect(await overlaps(list, saving(root("c", { resourceId: "bob" })))).toEqual([]);
  expect(await overlaps(list, saving(root("c", alice)))).not.toEqual([]);
  const ended = { traceId: "a", spanId: "root", endedAt: 2 };
  const end = () => mutation(deployment, "spans:update", { spans: [ended] });
  expect(await overlaps(list, end)).not.toEqual([]);
});

test("a cursor of another list is refused", async () => {
  const deployment = deploy();
  await save(deployment, root("a"), root("b"));
  const args = { ...byStart, limit: 1 };
  const { cursor } = await query(deployment, "spans:listTraces", args);
  const ask = (path: string, more: object) =>
    refusal(query(deployment, path, { ...args, ...more, cursor }));
  expect(await ask("spans:listTraces", {})).toBe("no error");
  expect(await ask("spans:listBranches", {})).toBe("INVALID_ARGUMENT");
  expect(await ask("spans:listTraces", { orderBy: "endedAt" })).toBe("INVALID_ARGUMENT");
});

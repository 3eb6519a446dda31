/**
 * A long thread, of 20,000 messages with SCALE=5: listed, deleted, copied, in calls that each stay
 * small.
 */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  dump,
  measured,
  mutation,
  query,
  settle,
  walked,
} from "./lib/harness.test-util.js";

const LONG = 4_000 * Number(process.env.SCALE ?? 1);
const newestFirst = Array.from({ length: LONG }, (_, i) => `m${LONG - i}`);
// convex-test looks through all documents for each query.
const PATIENCE = { timeout: 300_000 };
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The thread, put into the tables as saving them one by one would. */
async function longThread(): Promise<Deployment> {
  const deployment = deploy();
  await mutation(deployment, "threads:save", { thread: { id: "long", resourceId: "alice" } });
  const content = JSON.stringify("x".repeat(200));
  for (let first = 1; first <= LONG; first += 5000) {
    await deployment.run(async (ctx) => {
      for (let seq = first; seq < first + 5000 && seq <= LONG; seq += 1) {
        const ids = { id: `m${seq}`, threadId: "long" };
        const createdAt = Math.ceil(seq / 3);
        await ctx.db.insert("messages", { ...ids, role: "user", content, createdAt, seq });
      }
    });
  }
  await deployment.run(async (ctx) => {
    const thread = (await ctx.db.query("threads").first())!;
    await ctx.db.patch(thread._id, { messageCount: LONG, lastSeq: LONG });
    await ctx.db.insert("totals", { table: "messages", shard: 0, documents: LONG, bytes: 0 });
  });
  return deployment;
}

test("it is listed, any page of it and all", PATIENCE, async () => {
  const deployment = await longThread();
  const args = { threadId: "long", order: "desc", limit: 40, withTotal: true };
  const first = await measured(deployment, "messages:list", args);
  expect(first.reply.total).toBe(LONG);
  expect(first.reply.page.map((each: any) => each.id)).toEqual(newestFirst.slice(0, 40));
  expect(first.documents).toBeLessThanOrEqual(40 + 2);
  expect(first.bytes).toBeLessThan(40 * 500);
  const middle = { ...args, from: 1000, to: 1005 };
  const inside = await measured(deployment, "messages:list", middle);
  expect(inside.reply.page.map((each: any) => each.id)).toEqual(
    newestFirst.slice(LONG - 3015, LONG - 2997),
  );
  expect(inside.documents).toBeLessThanOrEqual(18 + 2);
  const { ids, most } = await walked(deployment, "messages:list", { ...args, limit: 500 });
  expect(ids).toEqual(newestFirst);
  expect(most.calls).toBe(LONG / 500);
  expect(most.bytes).toBeLessThan(500 * 500);
  // The thread, the row that says there is more, and what each of three walks begins with.
  expect(most.beside).toBeLessThanOrEqual(5);
});

test("it is deleted", PATIENCE, async () => {
  const deployment = await longThread();
  await mutation(deployment, "threads:remove", { id: "long" });
  expect(await query(deployment, "threads:get", { id: "long" })).toBeNull();
  await settle(deployment);
  const { threads, messages, jobs, totals } = await dump(deployment);
  expect([threads, messages, jobs]).toEqual([[], [], []]);
  const left = totals!.filter(({ table }) => table === "messages");
  expect(left.reduce((sum, each) => sum + each.documents, 0)).toBe(0);
});

test("it is copied", PATIENCE, async () => {
  const deployment = await longThread();
  const thread = { id: "copy", title: "Copy" };
  const made = await mutation(deployment, "threads:clone", { id: "long", thread });
  expect(made).toMatchObject({ id: "copy", resourceId: "alice", title: "Copy" });
  expect(await settle(deployment)).toBe(LONG / 500);
  expect(await query(deployment, "threads:get", { id: "copy" })).toEqual(made);
  const stored = (threadId: string) =>
    deployment.run((ctx) =>
      ctx.db
        .query("messages")
        .withIndex("by_thread_created", (q) => q.eq("threadId", threadId))
        .collect(),
    );
  const copies = await stored("copy");
  const said = (messages: typeof copies) =>
    messages.map(({ role, content, createdAt, seq }) => [role, content, createdAt, seq]);
  expect(said(copies)).toEqual(said(await stored("long")));
  expect(new Set(copies.map(({ id }) => id)).size).toBe(LONG);
  const first = { threadId: "copy", order: "desc", limit: 40, withTotal: true };
  const { page, total } = await query(deployment, "messages:list", first);
  expect([total, page.map(({ seq }: any) => seq)]).toEqual([
    LONG,
    Array.from({ length: 40 }, (_, i) => LONG - i),
  ]);
});

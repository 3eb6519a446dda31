/** Long threads, many records, large records: what one call reads stays small. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  dump,
  measured,
  mutation,
  query,
  refusal,
  settle,
} from "./lib/harness.test-util.js";

const MIB = 1024 * 1024;
// What a list reads besides its page: the thread, a counter, the row that says there is more, and
// at the start of each walk (three for a page of 500) the row that the one before ended with.
const BESIDE = 6;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A thread of `count` messages, put into the tables as saving them one by one would. */
async function longThread(deployment: Deployment, count: number) {
  await mutation(deployment, "threads:save", { thread: { id: "long", resourceId: "alice" } });
  const content = JSON.stringify("x".repeat(200));
  for (let first = 1; first <= count; first += 5000) {
    await deployment.run(async (ctx) => {
      for (let seq = first; seq < first + 5000 && seq <= count; seq += 1) {
        const ids = { id: `m${seq}`, threadId: "long" };
        const createdAt = Math.ceil(seq / 3);
        await ctx.db.insert("messages", { ...ids, role: "user", content, createdAt, seq });
      }
    });
  }
  await deployment.run(async (ctx) => {
    const thread = (await ctx.db.query("threads").first())!;
    await ctx.db.patch(thread._id, { messageCount: count, lastSeq: count });
    await ctx.db.insert("totals", { table: "messages", shard: 0, documents: count, bytes: 0 });
  });
}

/** All records of a list by the client's loop, and the most that one call read. */
async function all(deployment: Deployment, path: string, args: Record<string, unknown>) {
  const ids: string[] = [];
  const most = { calls: 0, documents: 0, bytes: 0 };
  let cursor: string | null = null;
  do {
    const found = await measured(deployment, path, { ...args, ...(cursor && { cursor }) });
    ids.push(...found.reply.page.map((each: { id: string }) => each.id));
    most.calls += 1;
    most.documents = Math.max(most.documents, found.documents);
    most.bytes = Math.max(most.bytes, found.bytes);
    expect(found.documents).toBeLessThanOrEqual(found.reply.page.length + BESIDE);
    cursor = found.reply.cursor;
  } while (cursor !== null);
  return { ids, most };
}

describe("a thread of 20,000 messages", () => {
  const LONG = 20_000;
  const newestFirst = Array.from({ length: LONG }, (_, i) => `m${LONG - i}`);

  test("is listed, any page of it and all", { timeout: 120_000 }, async () => {
    const deployment = deploy();
    await longThread(deployment, LONG);
    const args = { threadId: "long", order: "desc", limit: 40, withTotal: true };
    const first = await measured(deployment, "messages:list", args);
    expect(first.reply.total).toBe(LONG);
    expect(first.reply.page.map((each: any) => each.id)).toEqual(newestFirst.slice(0, 40));
    expect(first.documents).toBeLessThanOrEqual(40 + BESIDE);
    expect(first.bytes).toBeLessThan(40 * 500);
    const middle = { ...args, from: 2000, to: 2005 };
    const inside = await measured(deployment, "messages:list", middle);
    expect(inside.reply.page.map((each: any) => each.id)).toEqual(
      newestFirst.slice(LONG - 6015, LONG - 5997),
    );
    expect(inside.documents).toBeLessThanOrEqual(18 + BESIDE);
    const { ids, most } = await all(deployment, "messages:list", { ...args, limit: 500 });
    expect(ids).toEqual(newestFirst);
    expect(most.calls).toBe(40);
    expect(most.bytes).toBeLessThan(500 * 500);
  });

  test("is deleted", { timeout: 120_000 }, async () => {
    const deployment = deploy();
    await longThread(deployment, LONG);
    await mutation(deployment, "threads:remove", { id: "long" });
    expect(await query(deployment, "threads:get", { id: "long" })).toBeNull();
    await settle(deployment);
    const { threads, messages, jobs, totals } = await dump(deployment);
    expect([threads, messages, jobs]).toEqual([[], [], []]);
    const left = totals!.filter(({ table }) => table === "messages");
    expect(left.reduce((sum, each) => sum + each.documents, 0)).toBe(0);
  });

  test("is copied", { timeout: 600_000 }, async () => {
    const deployment = deploy();
    await longThread(deployment, LONG);
    const made = await mutation(deployment, "threads:clone", {
      id: "long",
      thread: { id: "copy", title: "Copy" },
    });
    expect(made).toMatchObject({ id: "copy", resourceId: "alice", title: "Copy" });
    await settle(deployment);
    const args = { threadId: "copy", order: "desc", limit: 1, withTotal: true };
    const found = await query(deployment, "messages:list", args);
    expect(found.total).toBe(LONG);
    expect(found.page[0].seq).toBe(LONG);
    expect((await dump(deployment)).messages).toHaveLength(2 * LONG);
  });
});

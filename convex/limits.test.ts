/** Many records, large records: what one call reads stays small. */

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
  walked,
} from "./lib/harness.test-util.js";
import { counted, Load, MUTATION_BYTES } from "./lib/load.js";

const MIB = 1024 * 1024;
// What a list reads besides its page: its thread or counter, the row that says there is more, and at
// the start of each walk (three for a page of 500) the row that the one before ended with.
const BESIDE = 5;
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a resource's 5,000 messages are listed and counted", { timeout: 60_000 }, async () => {
  const deployment = deploy();
  for (let n = 0; n < 50; n += 1) {
    await mutation(deployment, "threads:save", { thread: { id: `t${n}`, resourceId: "alice" } });
  }
  await deployment.run(async (ctx) => {
    for (let i = 0; i < 5000; i += 1) {
      const ids = { id: `m${i}`, threadId: `t${i % 50}`, resourceId: "alice" };
      const fields = { role: "user", content: '"x"', createdAt: i, seq: Math.floor(i / 50) + 1 };
      await ctx.db.insert("messages", { ...ids, ...fields });
    }
    for (let n = 0; n < 50; n += 1) {
      const key = { table: "messages", index: "owned", first: "alice", second: `t${n}` };
      await ctx.db.insert("counters", { ...key, count: 100 });
    }
  });
  const args = { resourceId: "alice", order: "desc", limit: 40 };
  const first = await measured(deployment, "messages:listByResource", args);
  expect(first.reply.page.map((each: any) => each.id)).toEqual(
    Array.from({ length: 40 }, (_, i) => `m${4999 - i}`),
  );
  // Its page, and the threads of its messages.
  expect(first.documents).toBeLessThanOrEqual(2 * 40 + BESIDE);
  const count = await measured(deployment, "messages:countByResource", {
    resourceId: "alice",
    limit: 500,
  });
  expect(count.reply).toEqual({ count: 5000, after: null });
  expect(count.documents).toBeLessThanOrEqual(2 * 50);
  const around = [{ id: "m2500", previous: 5, next: 5 }];
  const beside = await measured(deployment, "messages:listBeside", { around });
  expect(beside.reply.page).toHaveLength(11);
  expect(beside.documents).toBeLessThanOrEqual(11 + BESIDE);
});

async function deployOne(): Promise<Deployment> {
  const deployment = deploy();
  await mutation(deployment, "threads:save", { thread: { id: "t", resourceId: "alice" } });
  return deployment;
}

test("more than 4,000 look-ups in one call are refused, before Convex stops it", async () => {
  const deployment = await deployOne();
  const look = (times: number) =>
    deployment.mutation(async (ctx) => {
      const db = counted(ctx.db, new Load(MUTATION_BYTES));
      const thread = await db.query("threads").withIndex("by_key").first();
      for (let i = 0; i < times / 4; i += 1) {
        await db.get(thread!._id);
        await db.patch(thread!._id, { title: "new" });
        const { _id, _creationTime, ...fields } = thread!;
        await db.replace(thread!._id, fields);
        await db.query("threads").withIndex("by_key").first();
      }
      await db.delete(thread!._id);
    });
  expect(await refusal(look(4000))).toBe("LIMIT_EXCEEDED");
  expect((await dump(deployment)).threads).toHaveLength(1);
  expect(await refusal(look(3996))).toBe("no error");
});

test("a resource with 5,000 threads is listed and counted", async () => {
  const deployment = deploy();
  await deployment.run(async (ctx) => {
    for (let i = 0; i < 5000; i += 1) {
      const times = { createdAt: i, updatedAt: i, messageCount: 0, lastSeq: 0 };
      await ctx.db.insert("threads", { id: `t${i}`, resourceId: "alice", ...times });
    }
    const key = { table: "threads", index: "by_resource_created", first: "alice", second: "" };
    await ctx.db.insert("counters", { ...key, count: 5000 });
  });
  const args = { resourceId: "alice", orderBy: "updatedAt", order: "desc", withTotal: true };
  const first = await measured(deployment, "threads:list", { ...args, limit: 40 });
  expect(first.reply.total).toBe(5000);
  expect(first.reply.page[0].id).toBe("t4999");
  expect(first.documents).toBeLessThanOrEqual(40 + 2);
  expect(first.ranges).toBeLessThanOrEqual(3);
  const { ids, most } = await walked(deployment, "threads:list", { ...args, limit: 500 });
  expect(ids).toEqual(Array.from({ length: 5000 }, (_, i) => `t${4999 - i}`));
  expect(most.beside).toBeLessThanOrEqual(BESIDE);
});

test("5,000 runs with snapshots of 8 KiB are listed by status", async () => {
  const deployment = deploy();
  const state = JSON.stringify("s".repeat(8 * 1024));
  for (const part of [0, 1, 2, 3, 4]) {
    await deployment.run(async (ctx) => {
      for (let i = part * 1000; i < part * 1000 + 1000; i += 1) {
        const run = { id: `r${i}`, workflowName: "w", stateType: i % 5 ? "done" : "failed", state };
        await ctx.db.insert("workflowRuns", { ...run, createdAt: i, updatedAt: i });
      }
    });
  }
  const args = { stateType: "failed", order: "desc", limit: 500 };
  const { ids, most } = await walked(deployment, "workflowRuns:list", args);
  expect(ids).toEqual(Array.from({ length: 1000 }, (_, i) => `r${4995 - 5 * i}`));
  expect(most.bytes).toBeLessThan(8 * MIB);
  expect(most.beside).toBeLessThanOrEqual(BESIDE);
});

describe("large messages", () => {
  const message = (id: string, bytes: number) => ({
    id,
    threadId: "t",
    role: "user",
    content: JSON.stringify("x".repeat(bytes - 2)),
  });

  test("40 of 0.9 MiB are read, in pages that fit", async () => {
    const deployment = await deployOne();
    const messages = Array.from({ length: 40 }, (_, i) => message(`m${i}`, 0.9 * MIB));
    for (let i = 0; i < 40; i += 5) {
      await mutation(deployment, "messages:save", { messages: messages.slice(i, i + 5) });
    }
    const args = { threadId: "t", order: "asc" };
    const found: any[] = [];
    let cursor: string | null = null;
    do {
      const page = { ...args, limit: 40, ...(cursor && { cursor }) };
      const { reply, bytes, documents } = await measured(deployment, "messages:list", page);
      expect(bytes).toBeLessThan(8.1 * MIB);
      expect(documents).toBeLessThan(80);
      found.push(...reply.page);
      cursor = reply.cursor;
    } while (cursor !== null);
    expect(found.map(({ id }) => id)).toEqual(messages.map(({ id }) => id));
    expect(found.every(({ content }, i) => content === messages[i]!.content)).toBe(true);
    await mutation(deployment, "threads:remove", { id: "t" });
    await settle(deployment);
    const { chunks, totals } = await dump(deployment);
    expect(chunks).toEqual([]);
    expect(totals!.reduce((sum, each) => sum + each.bytes, 0)).toBe(0);
  });

  test("one of 5 MiB is saved, read, changed and deleted", async () => {
    const deployment = await deployOne();
    const large = message("large", 5 * MIB);
    await mutation(deployment, "messages:save", { messages: [large] });
    const read = async () => (await query(deployment, "messages:listById", { ids: ["large"] }))[0];
    expect((await read()).content === large.content).toBe(true);
    expect((await dump(deployment)).chunks).toHaveLength(6);
    await mutation(deployment, "messages:save", { messages: [large] });
    await mutation(deployment, "messages:update", { messages: [{ id: "large", role: "system" }] });
    expect((await read()).content === large.content).toBe(true);
    const other = { id: "large", content: JSON.stringify("y".repeat(2 * MIB)) };
    await mutation(deployment, "messages:update", { messages: [other] });
    expect((await read()).content === other.content).toBe(true);
    expect((await dump(deployment)).chunks).toHaveLength(3);
    const small = { id: "large", content: '"small"' };
    await mutation(deployment, "messages:update", { messages: [small] });
    const { chunks, messages } = await dump(deployment);
    expect(chunks).toEqual([]);
    expect(messages![0]).toMatchObject(small);
    expect(messages![0]).not.toHaveProperty("chunked");
    await mutation(deployment, "messages:save", { messages: [large] });
    await mutation(deployment, "messages:remove", { ids: ["large"] });
    expect((await dump(deployment)).chunks).toEqual([]);
  });

  test("what is too large is refused, and nothing is written", async () => {
    const deployment = await deployOne();
    const before = await dump(deployment);
    const save = (...messages: unknown[]) =>
      refusal(mutation(deployment, "messages:save", { messages }));
    expect(await save(message("m", 7.1 * MIB))).toBe("LIMIT_EXCEEDED");
    expect(await save(message("a", 4 * MIB), message("b", 4 * MIB))).toBe("LIMIT_EXCEEDED");
    expect(await save({ ...message("m", 10), id: "i".repeat(30_000) })).toBe("LIMIT_EXCEEDED");
    expect(await dump(deployment)).toEqual(before);
    expect(await save(message("m", 6.9 * MIB))).toBe("no error");
    expect(await save(message("m", 6.8 * MIB))).toBe("no error");
    await mutation(deployment, "messages:remove", { ids: ["m"] });
  });
});

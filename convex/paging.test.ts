/** Cursors: the same list whatever its pages, while records come and go; none but our own. */

import { afterEach, expect, test, vi } from "vitest";
import { deploy, type Deployment, mutation, query, refusal } from "./lib/harness.test-util.js";

afterEach(() => {
  vi.useRealTimers();
});

const list = (deployment: Deployment, args: Record<string, unknown>) =>
  query(deployment, "threads:list", { orderBy: "createdAt", order: "asc", limit: 10, ...args });

async function ties(): Promise<Deployment> {
  const deployment = deploy();
  // Of one `createdAt`: only `_creationTime` tells them apart.
  await deployment.run(async (ctx) => {
    for (let i = 0; i < 9; i += 1) {
      const times = { createdAt: i < 5 ? 1 : 2, updatedAt: 1, messageCount: 0, lastSeq: 0 };
      await ctx.db.insert("threads", { id: `t${i}`, resourceId: "alice", ...times });
    }
  });
  return deployment;
}

test.each([1, 2, 3, 4, 8, 9, 10])("pages of %i give every record once", async (limit) => {
  const deployment = await ties();
  for (const order of ["asc", "desc"]) {
    const whole = (await list(deployment, { order })).page;
    const found = [];
    let cursor: string | null = null;
    do {
      const page: any = await list(deployment, { order, limit, ...(cursor && { cursor }) });
      found.push(...page.page);
      cursor = page.cursor;
    } while (cursor !== null);
    expect(found).toEqual(whole);
  }
});

test("a cursor outlives the record that it stands on", async () => {
  const deployment = await ties();
  const { cursor, page } = await list(deployment, { limit: 4 });
  for (const { id } of page.slice(2)) await mutation(deployment, "threads:remove", { id });
  const rest = await list(deployment, { cursor });
  expect(rest.page.map((each: any) => each.id)).toEqual(["t4", "t5", "t6", "t7", "t8"]);
});

test("a cursor that is damaged, or of another list, is refused", async () => {
  const deployment = await ties();
  const { cursor } = await list(deployment, { limit: 4 });
  const with_ = (args: Record<string, unknown>) => refusal(list(deployment, { cursor, ...args }));
  expect(await with_({})).toBe("no error");
  for (const args of [
    { cursor: "" },
    { cursor: "{}" },
    { cursor: "[]" },
    { cursor: "[1,2" },
    { cursor: cursor.slice(0, -8) },
    { cursor: `${cursor.split(",")[0]}]` },
    { cursor: cursor.replace(/"[^"]*"/, "5") },
    { order: "desc" },
    { orderBy: "updatedAt" },
    { resourceId: "alice" },
    { from: 1 },
    { to: 5 },
  ]) {
    expect(await with_(args), JSON.stringify(args)).toBe("INVALID_ARGUMENT");
  }
});

/** Threads of one `_creationTime`: so late that convex-test's steps between two are rounded away. */
async function atOnce(count: number): Promise<Deployment> {
  vi.useFakeTimers({ now: 8e15 });
  const deployment = deploy();
  await deployment.run(async (ctx) => {
    for (let i = 0; i < count; i += 1) {
      const times = { createdAt: 1, updatedAt: 1, messageCount: 0, lastSeq: 0 };
      await ctx.db.insert("threads", { id: `t${i}`, resourceId: "alice", ...times });
    }
    const threads = await ctx.db.query("threads").collect();
    expect(new Set(threads.map((each) => each._creationTime)).size).toBe(1);
  });
  return deployment;
}

test.each(["asc", "desc"])("records of one instant are listed once each, %s", async (order) => {
  const deployment = await atOnce(60);
  const found = [];
  let cursor: string | null = null;
  do {
    const page: any = await list(deployment, { order, limit: 7, ...(cursor && { cursor }) });
    found.push(...page.page.map((each: any) => each.id));
    cursor = page.cursor;
  } while (cursor !== null);
  const ids = Array.from({ length: 60 }, (_, i) => `t${i}`);
  expect(found).toEqual(order === "asc" ? ids : ids.reverse());
});

test("records of one instant arrive together, however few were asked for", async () => {
  const deployment = await atOnce(60);
  const arrived = await query(deployment, "threads:listArrived", { after: 0, limit: 7 });
  expect(arrived.page.map((each: any) => each.id)).toHaveLength(60);
  // Not settled yet: they are given again.
  expect(arrived).toMatchObject({ isDone: true, position: 8e15 - 10_000 });
  vi.setSystemTime(8e15 + 20_000);
  await mutation(deployment, "threads:save", { thread: { id: "late", resourceId: "bob" } });
  const first = await query(deployment, "threads:listArrived", { after: 0, limit: 7 });
  expect(first).toMatchObject({ isDone: false, position: 8e15 });
  const rest = await query(deployment, "threads:listArrived", { after: 8e15, limit: 7 });
  expect(rest.page.map((each: any) => each.id)).toEqual(["late"]);
});

test("what is no number is refused, wherever it stands", async () => {
  const deployment = await ties();
  expect(await refusal(list(deployment, { from: NaN }))).toBe("INVALID_ARGUMENT");
  expect(await refusal(list(deployment, { from: -Infinity }))).toBe("no error");
  const thread = { id: "t", resourceId: "alice", createdAt: NaN };
  expect(await refusal(mutation(deployment, "threads:save", { thread }))).toBe("INVALID_ARGUMENT");
});

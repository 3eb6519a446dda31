/** Requests of @mastra/convex: bounds, steps, and who may ask. The scenarios have what they do. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  call,
  type Caller,
  deploy,
  type Deployment,
  dump,
  mutation,
  refusal,
  settle,
} from "./lib/harness.test-util.js";

let deployment: Deployment;
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  deployment = deploy();
});
afterEach(() => {
  vi.useRealTimers();
});

const storage = (op: string, tableName: string, more: object = {}) =>
  call(deployment, "mutation", "mastra/storage:handle", { op, tableName, ...more }, "operator");
const cache = (op: string, more: object) =>
  call(deployment, "mutation", "mastra/cache:handle", { op, ...more }, "operator");

/** Ask again until nothing is left, as the adapter does; how often it took. */
async function settled(ask: () => Promise<{ hasMore?: boolean }>): Promise<number> {
  for (let calls = 1; ; calls += 1) if (!(await ask()).hasMore) return calls;
}

const callers: [Caller][] = [["service"], [{ resourceId: "alice" }], [null]];
test.each(callers)("the functions are not there for %s", async (caller) => {
  for (const path of ["mastra/storage:handle", "mastra/cache:handle"]) {
    await expect(call(deployment, "mutation", path, {}, caller)).rejects.toThrow(
      "Could not find public function",
    );
  }
});

test("a list with more bytes than a transaction reads is refused, and a part of it is given", async () => {
  await mutation(deployment, "threads:save", { thread: { id: "t", resourceId: "r" } });
  const content = JSON.stringify("x".repeat(1024 * 1024));
  const filters = [{ field: "thread_id", value: "t" }];
  const list = (more = {}) => storage("queryTable", "mastra_messages", { filters, ...more });
  for (const [at, from] of [0, 6].entries()) {
    for (let n = from; n < from + 6; n += 1) {
      const message = { id: `m${n}`, threadId: "t", role: "user", content, createdAt: n };
      await mutation(deployment, "messages:save", { messages: [message] });
    }
    if (at === 0) expect((await list()).result).toHaveLength(6);
  }
  expect(await refusal(list())).toBe("LIMIT_EXCEEDED");
  expect((await list({ limit: 2 })).result).toHaveLength(2);
});

test("a long thread is deleted as the adapter does it, in steps", async () => {
  await mutation(deployment, "threads:save", { thread: { id: "t", resourceId: "r" } });
  const ids = Array.from({ length: 1100 }, (_, n) => `m${n}`);
  const message = { threadId: "t", role: "user", content: "1", createdAt: 1 };
  for (const some of [ids.slice(0, 600), ids.slice(600)]) {
    await mutation(deployment, "messages:save", {
      messages: some.map((id) => ({ ...message, id })),
    });
  }
  await storage("deleteMany", "mastra_messages", { ids });
  expect((await dump(deployment)).messages).toHaveLength(600);
  await settle(deployment);
  const { messages, threads } = await dump(deployment);
  expect([messages, threads![0].messageCount]).toEqual([[], 0]);
});

test("a table is cleared in steps, which the adapter asks for", async () => {
  const score = { scorerId: "s", entityId: "e", runId: "r", source: "LIVE", score: 1 };
  const records = Array.from({ length: 600 }, (_, n) => ({
    ...{ ...score, id: `s${n}`, scorer: {}, entity: {}, output: 1 },
  }));
  await storage("batchInsert", "mastra_scorers", { records });
  expect((await storage("queryTable", "mastra_scorers")).result).toHaveLength(600);
  expect(await settled(() => storage("clearTable", "mastra_scorers"))).toBe(2);
  const { scores, counters, _scheduled_functions } = await dump(deployment);
  expect([scores, counters, _scheduled_functions]).toEqual([[], [], []]);
});

test("a long list in the cache is gone at once, and deleted in steps", async () => {
  const entry = { key: "l", keyPrefix: "p", expiresAt: null };
  for (let n = 0; n < 220; n += 1) await cache("listPush", { ...entry, value: n });
  expect((await cache("listFromTo", { key: "l", from: 210, to: -1 })).result).toHaveLength(10);
  expect((await cache("delete", { key: "l" })).hasMore).toBe(true);
  await cache("listPush", { ...entry, value: "new" });
  expect((await cache("get", { key: "l" })).result).toEqual(["new"]);
  expect(await settled(() => cache("delete", { key: "l" }))).toBeLessThan(3);
  const { cacheEntries, cacheItems } = await dump(deployment);
  expect([cacheEntries, cacheItems]).toEqual([[], []]);
});

test("clearing the cache goes through all entries of a prefix", async () => {
  for (let n = 0; n < 60; n += 1) {
    await cache("increment", { key: `n${n}`, keyPrefix: n % 2 ? "p" : "q", expiresAt: null });
  }
  expect(await settled(() => cache("clear", { keyPrefix: "p" }))).toBe(2);
  const { cacheEntries } = await dump(deployment);
  expect(new Set(cacheEntries!.map((each) => each.prefix))).toEqual(new Set(["q"]));
  expect(cacheEntries).toHaveLength(30);
});

test("a value that a document cannot hold is refused", async () => {
  const entry = { key: "k", keyPrefix: "p", expiresAt: null, value: "x".repeat(1024 * 1024) };
  for (const op of ["set", "listPush"]) {
    expect(await refusal(cache(op, entry))).toBe("LIMIT_EXCEEDED");
  }
});

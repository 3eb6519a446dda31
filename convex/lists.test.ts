/** Every list, by each of its criteria: one call reads its page and a few documents more. */

import { getConvexSize } from "convex/values";
import { expect, test } from "vitest";
import registered from "./functions.json";
import { deploy, type Deployment, measured, mutation } from "./lib/harness.test-util.js";

const MANY = 250;
const LIMIT = 40;
// What a list reads besides its page: its thread, a counter or the totals of a table (in up to
// eight shards), the row that says there is more, and the row that the page before ended with.
const BESIDE = 3 + 8;
const SHARDS = Array.from({ length: 8 }, (_, shard) => shard);

// Half of these documents are in the lists below, the others beside them.
const TABLES: Record<string, (i: number, mine: string) => object> = {
  threads: (i, mine) => ({
    ...{ id: `t${i}`, resourceId: mine, title: "x".repeat(200) },
    ...{ createdAt: i, updatedAt: 2 * MANY - 1 - i, messageCount: 0, lastSeq: 0 },
  }),
  messages: (i, mine) => ({
    ...{ id: `m${i}`, threadId: mine === "mine" ? "t0" : "t1", role: "user" },
    ...{ content: JSON.stringify("x".repeat(200)), createdAt: i, seq: i },
  }),
  traces: (i, mine) => ({
    ...{ id: `x${i}`, threadId: mine, runId: mine, scope: mine, name: mine },
    ...{ spans: JSON.stringify("x".repeat(200)), timestamp: i, createdAt: i },
  }),
  evals: (i, mine) => ({
    ...{ id: `e${i}`, threadId: mine, agentName: mine },
    ...{ type: mine === "mine" ? "test" : "live", data: JSON.stringify("x".repeat(200)) },
    createdAt: i,
  }),
  workflowRuns: (i, mine) => ({
    ...{ id: `r${i}`, workflowName: mine, resourceId: mine, stateType: mine },
    ...{ state: JSON.stringify("x".repeat(200)), createdAt: i, updatedAt: i },
  }),
};

// The lists of each function, and the index that each is read from.
const LISTS: [path: string, criteria: Record<string, string>, index: string][] = [
  ["threads:list", { orderBy: "createdAt" }, "by_created"],
  ["threads:list", { orderBy: "updatedAt" }, "by_updated"],
  ["threads:list", { resourceId: "mine", orderBy: "createdAt" }, "by_resource_created"],
  ["threads:list", { resourceId: "mine", orderBy: "updatedAt" }, "by_resource_updated"],
  ["messages:list", { threadId: "t0" }, "by_thread_created"],
  ["traces:list", {}, "by_timestamp"],
  ["traces:list", { threadId: "mine" }, "by_thread"],
  ["traces:list", { runId: "mine" }, "by_run"],
  ["traces:list", { scope: "mine" }, "by_scope"],
  ["traces:list", { name: "mine" }, "by_name"],
  ["evals:list", {}, "by_created"],
  ["evals:list", { threadId: "mine" }, "by_thread"],
  ["evals:list", { agentName: "mine" }, "by_agent"],
  ["evals:list", { agentName: "mine", type: "test" }, "by_agent_type"],
  ["evals:list", { type: "test" }, "by_type"],
  ["workflowRuns:list", {}, "by_created"],
  ["workflowRuns:list", { workflowName: "mine" }, "by_workflow"],
  ["workflowRuns:list", { workflowName: "mine", stateType: "mine" }, "by_workflow_status"],
  ["workflowRuns:list", { resourceId: "mine" }, "by_resource"],
  ["workflowRuns:list", { stateType: "mine" }, "by_status"],
];
// Measured elsewhere: in limits.test.ts, costs.test.ts, spans.test.ts, traceLists.test.ts,
// signals.test.ts and unattended.test.ts.
const ELSEWHERE = [
  ...["messages:listBeside", "messages:listByResource", "observationalMemory:list"],
  ...["spans:list", "spans:listById", "spans:listOpen", "spans:listTraces", "spans:listBranches"],
  ...["spans:listArrived", "spans:listByMessage", "spans:listMessageIds"],
  ...["logs:list", "metrics:list", "metrics:listNames", "scoreEvents:list", "feedback:list"],
  ...["logs", "metrics", "scoreEvents", "feedback"].map((table) => `${table}:listArrived`),
  "discovery:list",
  ...["scores:list", "schedules:list", "schedules:listDue", "schedules:listTriggers"],
  ...["backgroundTasks:list", "channels:listInstallations"],
];
// Read in other ways: the tests at the end.
const OTHERS = [
  ...ELSEWHERE,
  "messages:paginate",
  "messages:listByThreads",
  "messages:listById",
  "messages:listArrived",
  "threads:listArrived",
];
const NAMES = "traces:listNames";
// Indexes from which single records are looked up.
const KEYS = ["by_key", "by_run of workflowRuns"];
// And one of a list that is measured elsewhere.
const INDEXES_ELSEWHERE = ["by_resource_created of messages"];

async function filled(...tables: string[]): Promise<Deployment> {
  const deployment = deploy();
  await deployment.run(async (ctx: any) => {
    for (const table of tables) {
      for (let i = 0; i < 2 * MANY; i += 1) {
        await ctx.db.insert(table, TABLES[table]!(i, i % 2 ? "other" : "mine"));
      }
      for (const shard of SHARDS) {
        await ctx.db.insert("totals", { table, shard, documents: MANY / 4, bytes: 0 });
      }
    }
  });
  return deployment;
}

/** A document of a table with its system fields, in bytes: all there are of about this size. */
const sizeIn = (table: string) =>
  getConvexSize({ ...TABLES[table]!(MANY, "other"), _id: "0".repeat(32), _creationTime: 0 } as any);

/** Check what one call read, and return its reply. */
async function lean(deployment: Deployment, path: string, args: object, count = LIMIT) {
  const found = await measured(deployment, path, args as Record<string, unknown>);
  expect((found.reply.page ?? found.reply).length).toBe(count);
  const documents = count + (found.reply.skipped ?? 0);
  expect(found.documents).toBeLessThanOrEqual(documents + BESIDE);
  expect(found.bytes).toBeLessThanOrEqual(
    (documents + BESIDE) * (sizeIn(path.split(":")[0]!) + 10),
  );
  return found;
}

test("no list, and no index that a list is read from, is left out", () => {
  const lists = Object.keys(registered.functions).filter((path) => /:(list|paginate)/.test(path));
  expect([...new Set(LISTS.map(([path]) => path)), ...OTHERS, NAMES].sort()).toEqual(lists.sort());
  const read = LISTS.map(([path, , index]) => `${index} of ${path.split(":")[0]}`);
  for (const table of Object.keys(TABLES)) {
    const { indexes } = registered.tables[table as keyof typeof registered.tables];
    for (const index of Object.keys(indexes)) {
      expect([...KEYS, ...INDEXES_ELSEWHERE, ...read]).toContain(
        index === "by_key" ? index : `${index} of ${table}`,
      );
    }
  }
});

test.each(LISTS)("%s %o by %s", async (path, criteria, index) => {
  const table = path.split(":")[0]!;
  const deployment = await filled(...(table === "messages" ? ["threads", "messages"] : [table]));
  for (const order of ["asc", "desc"]) {
    const args = { ...criteria, order, limit: LIMIT, withTotal: true };
    const first = await lean(deployment, path, args);
    expect(first.indexes).toContain(`${table}.${index}`);
    const next = await lean(deployment, path, { ...args, cursor: first.reply.cursor });
    const ids = [...first.reply.page, ...next.reply.page].map((each: any) => each.id);
    // Every second document is in a list that has a criterion.
    const step = Object.keys(criteria).some((name) => name !== "orderBy") ? 2 : 1;
    const backwards = (order === "desc") !== (criteria.orderBy === "updatedAt");
    const numbers = Array.from({ length: 2 * LIMIT }, (_, i) =>
      backwards ? 2 * MANY - step * (i + 1) : step * i,
    );
    expect(ids.map((id: string) => Number(id.slice(1)))).toEqual(numbers);
    await lean(deployment, path, { ...args, from: MANY, to: MANY + 20 * step - 1 }, 20);
    const { withTotal: _, ...rest } = args;
    const deep = await lean(deployment, path, { ...rest, skip: LIMIT });
    expect(deep.reply).toEqual({ ...next.reply, total: undefined, skipped: LIMIT });
  }
});

test.each(["asc", "desc"])("messages:listByThreads, %s", async (order) => {
  const deployment = await filled("threads", "messages");
  const threadIds = ["t0", "t1"];
  const ids = Array.from({ length: 2 * MANY }, (_, i) => `m${i}`);
  if (order === "desc") ids.reverse();
  for (const skip of [undefined, 100]) {
    const args = { threadIds, order, limit: LIMIT, withTotal: true };
    const { reply, documents } = await measured(deployment, "messages:listByThreads", {
      ...args,
      ...(skip && { skip }),
    });
    const start = skip ?? 0;
    expect(reply.page.map((each: any) => each.id)).toEqual(ids.slice(start, start + LIMIT));
    // Of each thread rows are read ahead.
    expect(documents).toBeLessThanOrEqual(2 * (start + LIMIT) + BESIDE);
    const { cursor } = reply;
    const next = await measured(deployment, "messages:listByThreads", { ...args, cursor });
    expect(next.reply.page.map((each: any) => each.id)).toEqual(
      ids.slice(start + LIMIT, start + 2 * LIMIT),
    );
    expect(next.documents).toBeLessThanOrEqual(2 * LIMIT + BESIDE);
  }
});

test("messages that are passed over are read without their text", async () => {
  const deployment = await filled("threads");
  const message = { threadId: "t0", role: "user", content: JSON.stringify("x".repeat(100_000)) };
  const messages = Array.from({ length: 60 }, (_, i) => ({ ...message, id: `m${i}` }));
  await mutation(deployment, "messages:save", { messages });
  const args = { threadId: "t0", order: "desc", limit: 2, skip: 58 };
  const { reply, bytes } = await measured(deployment, "messages:list", args);
  expect(reply.page.map((each: any) => each.id)).toEqual(["m1", "m0"]);
  expect(bytes).toBeLessThan(250_000);
});

test.each(["threads", "messages"])("%s:listArrived", async (table) => {
  const deployment = await filled("threads", "messages");
  await lean(deployment, `${table}:listArrived`, { limit: LIMIT });
  await lean(deployment, `${table}:listArrived`, { limit: LIMIT, after: 0 });
});

test("messages:listArrived, past many that nobody may see", async () => {
  const deployment = await filled("threads", "messages");
  await deployment.run(async (ctx) => {
    for (let i = 0; i < 5000; i += 1) {
      const ids = { id: `copy${i}`, threadId: "in the making" };
      await ctx.db.insert("messages", { ...ids, role: "user", content: "1", createdAt: i, seq: i });
    }
  });
  const newest = [{ id: "last", threadId: "t0", role: "user", content: "1" }];
  await mutation(deployment, "messages:save", { messages: newest });
  const ids = [];
  for (let [after, done] = [0, false]; !done;) {
    const args = { after, limit: 500 };
    const { reply, documents } = await measured(deployment, "messages:listArrived", args);
    expect(documents).toBeLessThan(4500);
    ids.push(...reply.page.map((each: any) => each.id));
    [after, done] = [reply.position, reply.isDone];
  }
  expect(ids).toEqual([...Array.from({ length: 2 * MANY }, (_, i) => `m${i}`), "last"]);

  // The same messages, once they are somebody's: of so many a call passes over a part.
  const thread = { ...TABLES.threads!(1, "mine"), id: "in the making" };
  await deployment.run((ctx) => ctx.db.insert("threads", thread as any));
  const args = { threadId: "in the making", order: "asc", limit: 9 };
  const some = await measured(deployment, "messages:list", { ...args, skip: 4998 });
  expect(some.reply.page).toEqual([]);
  expect(some.reply.skipped).toBeGreaterThanOrEqual(4000);
  expect(some.documents).toBeLessThan(4500);
  const { cursor, skipped } = some.reply;
  const last = await measured(deployment, "messages:list", {
    ...args,
    cursor,
    skip: 4998 - skipped,
  });
  expect(last.reply.page.map((each: any) => each.id)).toEqual(["copy4998", "copy4999"]);
});

test.each(["asc", "desc"])("messages:paginate, %s", async (order) => {
  const deployment = await filled("threads", "messages");
  const page = (cursor: string | null) => {
    const paginationOpts = { numItems: LIMIT, cursor };
    return lean(deployment, "messages:paginate", { threadId: "t0", order, paginationOpts });
  };
  const first = await page(null);
  expect(first.indexes).toContain("messages.by_thread_created");
  await page(first.reply.continueCursor);
});

test("messages:listById", async () => {
  const deployment = await filled("threads", "messages");
  const ids = Array.from({ length: LIMIT }, (_, i) => `m${i}`);
  await lean(deployment, "messages:listById", { ids });
});

test("traces:listNames, with one look for each name", async () => {
  const deployment = await filled("traces");
  const args = { prefix: "", limit: 2 };
  const { reply, documents, ranges } = await measured(deployment, "traces:listNames", args);
  expect([reply, documents, ranges]).toEqual([["mine", "other"], 2, 2]);
});

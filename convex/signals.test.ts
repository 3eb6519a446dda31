/** Logs, metrics, scores and feedback: what one call reads and writes stays bounded. */

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
import { shardOf } from "./lib/totals.js";

const MANY = 300;
const LIMIT = 40;
// What a list reads besides its page: the row that says there is more, the one that the page before
// ended with, and for a total the shards of its table.
const BESIDE = 2 + 8;

const context = (mine: string) => ({
  ...{ traceId: mine, spanId: mine, messageId: mine, runId: mine, threadId: mine },
  ...{ resourceId: mine },
});
// Half of these documents are in the lists below, the others beside them.
const TABLES: Record<string, (i: number, mine: string) => object> = {
  logs: (i, mine) => ({
    ...{ logId: `${i}`, level: mine === "mine" ? "error" : "info", message: '"x"' },
  }),
  metrics: (i, mine) => ({ metricId: `${i}`, name: mine, value: i }),
  scoreEvents: (i, mine) => ({ scoreId: `${i}`, scorerId: mine, score: MANY - i }),
  feedback: (i, mine) => ({
    ...{ feedbackId: `${i}`, feedbackType: mine, value: "1", feedbackSource: "" },
    reviewStatus: mine === "mine" ? "reviewed" : "needs-review",
  }),
};
const SHARED = ["trace", "thread", "run", "message", "resource"];
// The lists of each table, by criterion and index.
const LISTS: [table: string, criteria: Record<string, string>, index: string][] = [
  ["logs", {}, "by_timestamp"],
  ["logs", { level: "error" }, "by_level"],
  ["metrics", { name: "mine" }, "by_name"],
  ["scoreEvents", { scorerId: "mine" }, "by_scorer"],
  ["scoreEvents", { orderBy: "score" }, "by_score"],
  ["scoreEvents", { orderBy: "score", scorerId: "mine" }, "by_scorer_score"],
  ["scoreEvents", { traceId: "mine", spanId: "mine" }, "by_span"],
  ["feedback", { feedbackType: "mine" }, "by_type"],
  ["feedback", { reviewStatus: "reviewed" }, "by_review"],
  ["feedback", { traceId: "mine", spanId: "mine" }, "by_span"],
  ...["logs", "metrics", "scoreEvents", "feedback"].flatMap((table) =>
    SHARED.filter((name) => table !== "metrics" || name === "trace" || name === "resource")
      .filter((name) => table !== "logs" || name !== "message")
      .map((name): [string, Record<string, string>, string] => [
        ...([table, { [`${name}Id`]: "mine" }] as const),
        `by_${name}`,
      ]),
  ),
];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

async function filled(table: string): Promise<Deployment> {
  const deployment = deploy();
  await deployment.run(async (ctx: any) => {
    for (let i = 0; i < MANY; i += 1) {
      const mine = i % 2 ? "other" : "mine";
      const common = { ...context(mine), timestamp: i, createdAt: i };
      await ctx.db.insert(table, { ...TABLES[table]!(i, mine), ...common });
    }
  });
  return deployment;
}

test.each(Object.keys(TABLES))("%s are listed by every criterion from its index", async (table) => {
  const deployment = await filled(table);
  const kept = table === "scoreEvents" ? { orderBy: "timestamp" } : {};
  for (const [, criteria, index] of LISTS.filter(([name]) => name === table)) {
    const args = { ...kept, ...criteria, order: "desc", limit: LIMIT, withTotal: true };
    const first = await measured(deployment, `${table}:list`, args);
    expect(first.indexes).toContain(`${table}.${index}`);
    expect(first.reply.page).toHaveLength(LIMIT);
    expect(first.documents).toBeLessThanOrEqual(LIMIT + BESIDE);
    const next = await measured(deployment, `${table}:list`, {
      ...args,
      cursor: first.reply.cursor,
    });
    expect(next.documents).toBeLessThanOrEqual(LIMIT + BESIDE);
    const times = [...first.reply.page, ...next.reply.page].map((each: any) => each.timestamp);
    const step = Object.keys(criteria).some((name) => name !== "orderBy") ? 2 : 1;
    const newest = MANY - step;
    const expected = Array.from({ length: 2 * LIMIT }, (_, i) =>
      criteria.orderBy === "score" ? step * i : newest - step * i,
    );
    expect(times).toEqual(expected);
  }
});

/** What a batch begins with whose first id is counted in a shard of the totals. */
function inShard(shard: number, start: string): string {
  for (let n = 0; ; n += 1) if (shardOf(`${start}${n}-0`) === shard) return `${start}${n}-`;
}

const log = (i: number, fields?: object) => ({
  ...{ logId: `l${i}`, level: "info", message: '"x"', traceId: "t", timestamp: i, ...fields },
});

test("a batch of new names fits into a call, and its repetition writes nothing", async () => {
  const deployment = deploy();
  const metrics = Array.from({ length: 180 }, (_, i) => ({
    ...{ metricId: `m${i}`, name: "n", value: i, environment: `e${i}` },
    labels: JSON.stringify({ a: `a${i}`, b: `b${i}` }),
  }));
  const first = await measured(deployment, "metrics:save", { metrics }, "mutation");
  // Each, the totals, and 500 of the 540 new values.
  expect(first.written).toBe(180 + 1 + 500);
  expect(first.ranges).toBeLessThan(4000);
  const some = { metrics: metrics.slice(0, 50) };
  const again = await measured(deployment, "metrics:save", some, "mutation");
  expect(again.written).toBe(0);
});

test("logs with long texts are followed, and deleted with their trace, in bounded calls", async () => {
  const deployment = deploy();
  const long = JSON.stringify("x".repeat(100 * 1024));
  for (let first = 0; first < 150; first += 50) {
    const logs = Array.from({ length: 50 }, (_, i) => log(first + i, { message: long }));
    await mutation(deployment, "logs:save", { logs });
  }
  await mutation(deployment, "logs:save", { logs: [log(999, { traceId: "u" })] });
  const arrived: string[] = [];
  for (let [after, isDone] = [0, false]; !isDone;) {
    const args = { after, limit: 100 };
    const { reply, bytes } = await measured(deployment, "logs:listArrived", args);
    expect(bytes).toBeLessThan(16 * 1024 * 1024);
    arrived.push(...reply.page.map((each: any) => each.logId));
    ({ position: after, isDone } = reply);
  }
  const everything = [...Array.from({ length: 150 }, (_, i) => log(i)), log(999)];
  expect(arrived).toEqual(everything.map(({ logId }) => logId));
  let [traceIds, cursor]: [string[], string | null] = [["t", "u"], null];
  let calls = 0;
  for (let rest = 2; rest > 0; calls += 1) {
    const args = { traceIds, ...(cursor !== null && { cursor }) };
    const done = await measured(deployment, "logs:removeOfTraces", args, "mutation");
    expect(done.bytes).toBeLessThan(16 * 1024 * 1024);
    ({ rest, cursor } = done.reply);
    traceIds = rest > 0 ? traceIds.slice(-rest) : [];
  }
  expect(calls).toBeGreaterThan(1);
  const left = await query(deployment, "logs:list", { order: "asc", limit: 10 });
  expect(left.page).toEqual([]);
  await deployment.run(async (ctx) => {
    expect(await ctx.db.query("chunks").collect()).toEqual([]);
  });
}, 60_000);

test("more than a call can carry is refused", async () => {
  const deployment = deploy();
  const message = JSON.stringify("x".repeat(1024 * 1024));
  const logs = Array.from({ length: 8 }, (_, i) => log(i, { message }));
  expect(await refusal(mutation(deployment, "logs:save", { logs }))).toBe("LIMIT_EXCEEDED");
});

test("batches of what is known meet in a shard of the totals, one time in eight", async () => {
  const deployment = deploy();
  const known = { serviceName: "api", environment: "prod", entityType: "agent", tags: '["a"]' };
  await mutation(deployment, "logs:save", { logs: [log(0, known)] });
  const batch = (start: string) => () =>
    mutation(deployment, "logs:save", {
      logs: Array.from({ length: 20 }, (_, i) => ({ ...log(i, known), logId: `${start}${i}` })),
    });
  const meeting = [];
  for (let shard = 0; shard < 8; shard += 1) {
    const met = await overlaps(batch(inShard(3, "a")), batch(inShard(shard, "b")));
    meeting.push([...new Set(met.map(({ table }) => table))]);
  }
  expect(meeting).toEqual([[], [], [], ["totals"], [], [], [], []]);
});

test("what other batches have added is deleted, and the totals are right", async () => {
  const deployment = deploy();
  for (const start of ["a", "b", "c"]) {
    const logs = Array.from({ length: 5 }, (_, i) => ({ ...log(i), logId: `${start}${i}` }));
    await mutation(deployment, "logs:save", { logs });
  }
  await mutation(deployment, "logs:save", { logs: [log(0, { traceId: "u" })] });
  await mutation(deployment, "logs:removeOfTraces", { traceIds: ["t"] });
  const { page, total } = await query(deployment, "logs:list", {
    ...{ order: "asc", limit: 10, withTotal: true },
  });
  expect([page.length, total]).toEqual([1, 1]);
});

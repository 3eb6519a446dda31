/** Lists of scores, schedules, tasks and channels: what a page reads, and long histories. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  dump,
  measured,
  mutation,
  query,
  raced,
  refusal,
  settle,
} from "./lib/harness.test-util.js";

const COUNT = 1200;
const LIMIT = 50;
// What a list reads besides its page: a counter, the schedule, the row that says there is more.
const BESIDE = 4;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Put documents into a table as they are. */
async function fill(
  deployment: Deployment,
  table: any,
  make: (i: number) => object,
  count = COUNT,
) {
  for (let first = 0; first < count; first += 1000) {
    await deployment.run(async (ctx) => {
      for (let i = first; i < first + 1000 && i < count; i += 1) {
        await ctx.db.insert(table, make(i) as any);
      }
    });
  }
}

const times = (i: number) => ({ createdAt: i, updatedAt: i });
const score = (i: number) => ({
  ...{ id: `s${i}`, scorerId: "s", entityId: "e", entityType: "AGENT", runId: "r", source: "LIVE" },
  ...{ score: i, scorer: "{}", entity: "{}", output: "null", traceId: "t", spanId: "n" },
  ...times(i),
});
const schedule = (i: number) => ({
  ...{ id: `d${i}`, target: "{}", workflowId: "w", cron: "*", status: "active", nextFireAt: i },
  ...{ ownerType: "agent", ownerId: "o" },
  ...times(i),
});
const trigger = (i: number) => ({
  ...{ id: `h${i}`, scheduleId: "d0", scheduledFireAt: i, actualFireAt: i, createdAt: i },
  ...{ outcome: "published", triggerKind: "schedule-fire" },
});
const task = (i: number) => ({
  ...{ id: `k${i}`, status: "running", toolName: "t", toolCallId: "c", args: "{}", agentId: "a" },
  ...{ runId: "r", threadId: "h", resourceId: "alice", createdAt: i },
  ...{ retryCount: 0, maxRetries: 0, timeoutMs: 0 },
});
const installation = (i: number) => ({
  ...{ id: `i${i}`, platform: "slack", agentId: "a", status: "active", data: "{}" },
  ...times(i),
});

describe("a page costs the page", () => {
  test.each([
    ["scores", score, "scores:list", { scorerId: "s" }],
    ["scores", score, "scores:list", { scorerId: "s", source: "LIVE" }],
    ["scores", score, "scores:list", { runId: "r" }],
    ["scores", score, "scores:list", { entityId: "e", entityType: "AGENT" }],
    ["scores", score, "scores:list", { traceId: "t", spanId: "n" }],
    ["scores", score, "scores:list", { scorerId: "s", organizationId: "none" }],
    ["schedules", schedule, "schedules:list", {}],
    ["schedules", schedule, "schedules:list", { workflowId: "w" }],
    ["schedules", schedule, "schedules:list", { ownerType: "agent", ownerId: "o" }],
    ["schedules", schedule, "schedules:listDue", { now: COUNT }],
    ["backgroundTasks", task, "backgroundTasks:list", {}],
    ["backgroundTasks", task, "backgroundTasks:list", { threadId: "h", agentId: "none" }],
    ["backgroundTasks", task, "backgroundTasks:list", { agentId: "a", status: "running" }],
    ["backgroundTasks", task, "backgroundTasks:list", { resourceId: "alice", threadId: "h" }],
    ["channelInstallations", installation, "channels:listInstallations", { platform: "slack" }],
  ])("of %s, %o, by %s with %o", async (table, make, path, criteria) => {
    const deployment = deploy();
    await fill(deployment, table, make as (i: number) => object, 200);
    const args = { ...criteria, order: "desc", withTotal: true, limit: LIMIT };
    const first = await measured(deployment, path, args);
    expect(first.documents).toBeLessThanOrEqual(LIMIT + BESIDE);
    const second = await measured(deployment, path, { ...args, cursor: first.reply.cursor });
    expect(second.documents).toBeLessThanOrEqual(LIMIT + BESIDE + 1);
    const ids = [...first.reply.page, ...second.reply.page].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const compared = JSON.stringify(criteria).includes("none");
    expect(ids).toHaveLength(compared ? 0 : 2 * LIMIT);
  });
});

describe("a schedule with a long history", () => {
  async function withHistory() {
    const deployment = deploy();
    await fill(deployment, "schedules", schedule, 1);
    await fill(deployment, "scheduleTriggers", trigger);
    return deployment;
  }
  const history = { scheduleId: "d0", order: "desc", limit: LIMIT };
  const again = { id: "d0", target: '{"type":"x"}', cron: "*", status: "active", nextFireAt: 1 };

  test("is listed by the page", async () => {
    const deployment = await withHistory();
    const { reply, documents } = await measured(deployment, "schedules:listTriggers", history);
    expect(reply.page[0].id).toBe(`h${COUNT - 1}`);
    expect(documents).toBeLessThanOrEqual(LIMIT + BESIDE);
  });

  test.each(["schedules:remove", "system:clear"])("is deleted in steps by %s", async (path) => {
    const deployment = await withHistory();
    const args = path === "system:clear" ? { table: "schedules" } : { id: "d0" };
    await mutation(deployment, path, args);
    // At once for every reader; nobody may take its place before all of it is gone.
    expect((await query(deployment, "schedules:listTriggers", history)).page).toEqual([]);
    const create = () => mutation(deployment, "schedules:create", { schedule: again });
    expect(await refusal(create())).toBe("CONFLICT");
    expect(await settle(deployment)).toBe(2);
    const { schedules, scheduleTriggers } = await dump(deployment);
    expect([schedules, scheduleTriggers]).toEqual([[], []]);
    await create();
    expect((await query(deployment, "schedules:listTriggers", history)).page).toEqual([]);
  });
});

test("of two that claim the same fire, or the same task, one wins", async () => {
  const deployment = deploy();
  await fill(deployment, "schedules", schedule, 1);
  await fill(deployment, "backgroundTasks", task, 1);
  const won: boolean[] = [];
  const noted = (path: string, args: Record<string, unknown>) => async () => {
    const found: boolean = await mutation(deployment, path, args);
    won.push(found);
    return found;
  };
  const fire = { id: "d0", expectedNextFireAt: 0, newNextFireAt: 9, lastFireAt: 0, lastRunId: "r" };
  const claims = [
    noted("schedules:advance", fire),
    noted("backgroundTasks:update", {
      ...{ id: "k0", update: { status: "completed" }, expectedStatus: "running" },
    }),
  ];
  for (const claim of claims) {
    expect(await raced(claim, claim)).toBe(false);
    expect(won.slice(-2)).toEqual([true, false]);
  }
});

/** Deleting, copying, giving away long threads: at every step, readers see all or nothing of it. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { internal } from "./_generated/api.js";
import {
  deploy,
  type Deployment,
  dump,
  mutation,
  query,
  refusal,
  settle,
  step,
} from "./lib/harness.test-util.js";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

// More than two steps take.
const MANY = 1200;

async function threadOfMany(resourceId?: string): Promise<Deployment> {
  const deployment = deploy();
  await mutation(deployment, "threads:save", { thread: { id: "t", resourceId: "alice" } });
  for (const part of [0, 1]) {
    const messages = Array.from({ length: MANY / 2 }, (_, i) => ({
      id: `m${part}-${i}`,
      threadId: "t",
      role: "user",
      content: '"x"',
      ...(resourceId && { resourceId }),
    }));
    await mutation(deployment, "messages:save", { messages });
  }
  return deployment;
}

/** What readers see of a thread, in every way there is to look. */
async function seen(deployment: Deployment, threadId: string, ids: string[]) {
  const args = { threadId, order: "asc", limit: 500, withTotal: true };
  const listed = await query(deployment, "messages:list", args);
  const arrived = await query(deployment, "messages:listArrived", { limit: 500 });
  return {
    thread: (await query(deployment, "threads:get", { id: threadId })) !== null,
    total: listed.total,
    listed: listed.page.length > 0,
    byId: (await query(deployment, "messages:listById", { ids })).length,
    arrived: arrived.page.some((each: any) => each.threadId === threadId),
  };
}

const NOTHING = { thread: false, total: 0, listed: false, byId: 0, arrived: false };

describe("deleting", () => {
  test("hides the thread at once, and its id is held until all is gone", async () => {
    const deployment = await threadOfMany();
    const ids = ["m0-0", "m1-599"];
    await mutation(deployment, "threads:remove", { id: "t" });
    const again = { thread: { id: "t", resourceId: "alice" } };
    const late = { id: "late", threadId: "t", role: "user", content: '"x"' };
    const rounds = await settle(deployment, async () => {
      expect(await seen(deployment, "t", ids)).toEqual(NOTHING);
      if ((await dump(deployment)).jobs!.length === 0) return;
      expect(await refusal(mutation(deployment, "threads:save", again))).toBe("CONFLICT");
      expect(await refusal(mutation(deployment, "messages:save", { messages: [late] }))).toBe(
        "NOT_FOUND",
      );
    });
    expect(rounds).toBe(2);
    expect(await dump(deployment)).toMatchObject({ messages: [], jobs: [], threads: [] });
    expect(await mutation(deployment, "threads:save", again)).toMatchObject({ id: "t" });
    expect(await seen(deployment, "t", ids)).toEqual({ ...NOTHING, thread: true });
  });

  test("a step that is run twice does nothing the second time", async () => {
    const deployment = await threadOfMany();
    await mutation(deployment, "threads:remove", { id: "t" });
    const job = (await dump(deployment)).jobs![0];
    const run = () => deployment.mutation(internal.threads.work, { job: job._id, step: 1 });
    await run();
    const once = await dump(deployment);
    await run();
    expect(await dump(deployment)).toEqual(once);
    await settle(deployment);
    const left = await dump(deployment);
    expect(left).toMatchObject({ messages: [], jobs: [] });
    await run();
    expect(await dump(deployment)).toEqual(left);
  });

  test("an id of a message that is still being deleted can be used again", async () => {
    const deployment = await threadOfMany();
    await mutation(deployment, "threads:save", { thread: { id: "u", resourceId: "bob" } });
    await mutation(deployment, "threads:remove", { id: "t" });
    const messages = [{ id: "m1-599", threadId: "u", role: "user", content: '"new"' }];
    const [saved] = await mutation(deployment, "messages:save", { messages });
    expect(saved).toMatchObject({ threadId: "u", seq: 1, content: '"new"' });
    await settle(deployment);
    expect((await dump(deployment)).messages).toHaveLength(1);
  });
});

describe("copying", () => {
  const clone = { id: "t", thread: { id: "copy" } };

  test("shows the thread when all of it is there", async () => {
    const deployment = await threadOfMany();
    const made = await mutation(deployment, "threads:clone", clone);
    const [id] = (await dump(deployment)).messages!.slice(-1).map((each) => each.id);
    expect(await seen(deployment, "copy", [id])).toEqual(NOTHING);
    const states: string[] = [];
    await settle(deployment, async () => {
      const found = await seen(deployment, "copy", [id]);
      states.push(found.thread ? "all" : "nothing");
      if (found.thread) expect(found).toMatchObject({ total: MANY, listed: true, byId: 1 });
      else expect(found).toEqual(NOTHING);
    });
    expect(states).toEqual(["nothing", "all"]);
    expect(await query(deployment, "threads:get", { id: "copy" })).toEqual(made);
  });

  test("holds the new id", async () => {
    const deployment = await threadOfMany();
    await mutation(deployment, "threads:clone", clone);
    const thread = { id: "copy", resourceId: "alice" };
    expect(await refusal(mutation(deployment, "threads:save", { thread }))).toBe("CONFLICT");
    expect(await refusal(mutation(deployment, "threads:clone", clone))).toBe("CONFLICT");
    await settle(deployment);
    expect(await refusal(mutation(deployment, "threads:clone", clone))).toBe("CONFLICT");
  });

  test.each([
    ["the source is deleted", "t"],
    ["the copy is deleted", "copy"],
  ])("leaves nothing when %s meanwhile", async (_, id) => {
    const deployment = await threadOfMany();
    await mutation(deployment, "threads:clone", clone);
    await mutation(deployment, "threads:remove", { id });
    await settle(deployment);
    const { messages, jobs, threads } = await dump(deployment);
    expect(jobs).toEqual([]);
    expect(threads!.map((each) => each.id)).toEqual(id === "t" ? [] : ["t"]);
    expect(messages).toHaveLength(id === "t" ? 0 : MANY);
  });

  test("does not take what is added to the source meanwhile", async () => {
    const deployment = await threadOfMany();
    await mutation(deployment, "threads:clone", clone);
    const early = { id: "early", threadId: "t", role: "user", content: '"x"', createdAt: 1 };
    await mutation(deployment, "messages:save", { messages: [early] });
    await settle(deployment);
    const args = { threadId: "copy", order: "asc", limit: 1, withTotal: true };
    expect(await query(deployment, "messages:list", args)).toMatchObject({ total: MANY });
  });

  test("takes the chosen messages, the newest first", async () => {
    const deployment = await threadOfMany();
    const messageIds = ["m0-3", "no", "m1-7", "m0-3", "m0-9"];
    const args = { ...clone, messageIds, limit: 2 };
    const made = await mutation(deployment, "threads:clone", args);
    expect(JSON.parse(made.metadata)).toEqual({
      clone: { sourceThreadId: "t", clonedAt: 1_000_000, lastMessageId: "m1-7" },
    });
    const list = { threadId: "copy", order: "desc", limit: 10, withTotal: true };
    const { page, total } = await query(deployment, "messages:list", list);
    expect([total, page.map((each: any) => each.seq)]).toEqual([2, [MANY, MANY - 1]]);
  });
});

test("chosen messages that go meanwhile do not hide those behind them", async () => {
  const deployment = await threadOfMany();
  const messageIds = Array.from({ length: 510 }, (_, i) => `m0-${i}`);
  const args = { id: "t", thread: { id: "copy" }, messageIds, limit: 506 };
  await mutation(deployment, "threads:clone", args);
  // The newest first: 500 are copied, and of the ten that follow, the next six go.
  await mutation(deployment, "messages:remove", { ids: messageIds.slice(4, 10) });
  await settle(deployment);
  const list = { threadId: "copy", order: "asc", limit: 1, withTotal: true };
  expect(await query(deployment, "messages:list", list)).toMatchObject({ total: 504 });
});

describe("giving away", () => {
  const give = { id: "t", resourceId: "bob" };
  const idsOf = (reply: any) => reply.page.map((each: any) => each.id);

  /** What readers see of what a resource has of the thread, in every way there is to look. */
  async function hold(deployment: Deployment, resourceId: string) {
    const args = { order: "asc", limit: 500 };
    const total = { ...args, withTotal: true };
    const around = [{ id: "m0-0", previous: 0, next: 1 }];
    const ids = { ids: ["m0-0", "m1-599"] };
    const arrived = await query(deployment, "messages:listArrived", { limit: 500 });
    const all = await query(deployment, "messages:list", { ...args, threadId: "t" });
    const owners = [
      ...all.page,
      ...arrived.page,
      ...(await query(deployment, "messages:listById", ids)),
    ];
    const inThread = await query(deployment, "messages:list", {
      ...total,
      threadId: "t",
      resourceId,
    });
    return {
      // In lists of the thread, and of what arrives, all messages or none are the resource's.
      owned: [...new Set(owners.map((each: any) => each.resourceId === resourceId))],
      inThread: idsOf(inThread).length,
      beside: idsOf(await query(deployment, "messages:listBeside", { around, resourceId })),
      byResource: idsOf(await query(deployment, "messages:listByResource", { ...args, resourceId }))
        .length,
      count: (await query(deployment, "messages:countByResource", { resourceId, limit: 10 })).count,
      own: (await query(deployment, "messages:list", { ...args, threadId: "t" }, { resourceId }))
        .page.length,
    };
  }
  const NONE = { owned: [false], inThread: 0, beside: [], byResource: 0, count: 0, own: 0 };
  const SEEN = { owned: [true], inThread: 500, beside: ["m0-0", "m0-1"], own: 500 };
  const ALL = { ...SEEN, byResource: 500, count: MANY };

  async function thread(): Promise<Deployment> {
    const deployment = await threadOfMany("alice");
    expect(await hold(deployment, "alice")).toEqual(ALL);
    return deployment;
  }

  test("shows each reader the old owner or the new one, at every step", async () => {
    const deployment = await thread();
    const given = await mutation(deployment, "threads:updateResourceId", give);
    expect(given).toMatchObject({ id: "t", resourceId: "bob", updatedAt: 1_000_001 });
    const states: number[] = [];
    const rounds = await settle(deployment, async () => {
      const { byResource, count, ...held } = await hold(deployment, "bob");
      expect(held).toEqual(SEEN);
      states.push(count);
      expect(byResource).toBe(count === 0 ? 0 : 500);
      expect(await hold(deployment, "alice")).toEqual(NONE);
    });
    expect(rounds).toBe(2);
    expect(states).toEqual([0, MANY]);
    expect(await hold(deployment, "bob")).toEqual(ALL);
    const { messages, jobs, threads, counters } = await dump(deployment);
    expect(new Set(messages!.map((each) => each.resourceId))).toEqual(new Set(["bob"]));
    expect([jobs, "takenOver" in threads![0]]).toEqual([[], false]);
    const owned = counters!.filter(({ index }) => index === "owned");
    expect(owned).toMatchObject([{ first: "bob", second: "t", count: MANY }]);
  });

  test("a step that is run twice does nothing the second time", async () => {
    const deployment = await thread();
    await mutation(deployment, "threads:updateResourceId", give);
    const job = (await dump(deployment)).jobs![0];
    const run = () => deployment.mutation(internal.threads.work, { job: job._id, step: 1 });
    await run();
    const once = await dump(deployment);
    await run();
    expect(await dump(deployment)).toEqual(once);
  });

  test("takes what is added and deleted meanwhile; what is on its way waits", async () => {
    const deployment = await thread();
    await mutation(deployment, "threads:updateResourceId", give);
    const late = { id: "late", threadId: "t", resourceId: "carol", role: "user", content: "1" };
    await mutation(deployment, "messages:save", { messages: [{ ...late, createdAt: 1 }] });
    await mutation(deployment, "messages:remove", { ids: ["m1-598"] });
    await mutation(deployment, "messages:update", { messages: [{ id: "late", content: "2" }] });
    const refused = [
      ["messages:update", { messages: [{ id: "m1-599", resourceId: "carol" }] }],
      ["messages:save", { messages: [{ ...late, id: "m1-599" }] }],
      ["threads:updateResourceId", { id: "t", resourceId: "carol" }],
      ["threads:save", { thread: { id: "t", resourceId: "carol" } }],
    ] as const;
    for (const [path, args] of refused) {
      expect(await refusal(mutation(deployment, path, args)), path).toBe("CONFLICT");
    }
    await mutation(deployment, "threads:save", {
      thread: { id: "t", resourceId: "bob", title: "T" },
    });
    await settle(deployment);
    expect((await hold(deployment, "bob")).count).toBe(MANY - 1);
    expect((await hold(deployment, "carol")).count).toBe(1);
    expect((await query(deployment, "threads:get", { id: "t" })).title).toBe("T");
  });

  test.each(["now", "later"])("leaves nothing when the thread is deleted %s", async (when) => {
    const deployment = await thread();
    await mutation(deployment, "threads:updateResourceId", give);
    if (when === "later") await step(deployment);
    await mutation(deployment, "threads:remove", { id: "t" });
    await settle(deployment);
    const { messages, jobs, threads, counters } = await dump(deployment);
    expect([messages, jobs, threads, counters]).toEqual([[], [], [], []]);
  });

  test("a copy that is made meanwhile is the new owner's", async () => {
    const deployment = await thread();
    await mutation(deployment, "threads:updateResourceId", give);
    await mutation(deployment, "threads:clone", { id: "t", thread: { id: "copy" } });
    await settle(deployment);
    const { messages } = await dump(deployment);
    expect(messages).toHaveLength(2 * MANY);
    expect(new Set(messages!.map((each) => each.resourceId))).toEqual(new Set(["bob"]));
  });
});

test("a table of many is cleared in steps; what is saved meanwhile stays", async () => {
  const deployment = await threadOfMany();
  await mutation(deployment, "system:clear", { table: "messages" });
  expect((await dump(deployment)).messages!.length).toBeGreaterThan(0);
  vi.setSystemTime(1_000_010);
  const messages = [{ id: "new", threadId: "t", role: "user", content: '"x"' }];
  await mutation(deployment, "messages:save", { messages });
  await step(deployment);
  await settle(deployment);
  const left = await dump(deployment);
  expect(left.messages!.map((each) => each.id)).toEqual(["new"]);
  expect(left.threads![0]).toMatchObject({ messageCount: 1 });
});

/** Documents straight into the tables, as many saves would leave them. */
function put(deployment: Deployment, documents: [table: string, document: object][]) {
  return deployment.run(async (ctx: any) => {
    for (const [table, document] of documents) await ctx.db.insert(table, document);
  });
}

test("threads are cleared whatever they hold together", async () => {
  const deployment = deploy();
  for (let t = 0; t < 10; t += 1) {
    const thread = { id: `t${t}`, resourceId: "alice", createdAt: 1, updatedAt: 1 };
    const messages = Array.from({ length: 450 }, (_, i): [string, object] => {
      const ids = { id: `m${t}-${i}`, threadId: thread.id };
      return ["messages", { ...ids, role: "user", content: "1", createdAt: i, seq: i }];
    });
    await put(deployment, [["threads", { ...thread, messageCount: 450, lastSeq: 450 }]]);
    await put(deployment, messages);
  }
  await mutation(deployment, "system:clear", { table: "threads" });
  await settle(deployment);
  expect(await dump(deployment)).toMatchObject({ threads: [], messages: [], jobs: [] });
});

test("records are cleared however many lists count each of them", async () => {
  const deployment = deploy();
  const documents = Array.from({ length: 460 }, (_, i): [string, object][] => {
    const trace = { threadId: `t${i}`, runId: `r${i}`, scope: `s${i}`, name: `n${i}` };
    const counters = Object.entries({ by_thread: "t", by_run: "r", by_scope: "s", by_name: "n" });
    return [
      ["traces", { ...trace, id: `x${i}`, timestamp: i, createdAt: i }],
      ...counters.map(([index, letter]): [string, object] => [
        "counters",
        { table: "traces", index, first: `${letter}${i}`, second: "", count: 1 },
      ]),
    ];
  });
  await put(deployment, documents.flat());
  await mutation(deployment, "system:clear", { table: "traces" });
  await settle(deployment);
  expect(await dump(deployment)).toMatchObject({ traces: [], counters: [] });
});

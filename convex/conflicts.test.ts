/**
 * Which calls get in each other's way.
 *
 * Convex runs a mutation again, from its start, if another that landed meanwhile has written what it
 * read; and a subscription, if one has written what its query read.
 */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  deploy,
  type Deployment,
  mutation,
  overlaps,
  query,
  raced,
  refusal,
  settle,
} from "./lib/harness.test-util.js";
import { shardOf } from "./lib/totals.js";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

type Call = () => Promise<any>;

const saveThread = (deployment: Deployment, id: string, resourceId: string) => () =>
  mutation(deployment, "threads:save", { thread: { id, resourceId } });
const saveMessages =
  (deployment: Deployment, threadId: string, ...ids: string[]) =>
  () =>
    mutation(deployment, "messages:save", {
      messages: ids.map((id) => ({ id, threadId, role: "user", content: '"hello"' })),
    });
const saveRun =
  (deployment: Deployment, id: string, workflowName: string, stateType?: string, state = "{}") =>
  () =>
    mutation(deployment, "workflowRuns:save", { run: { id, workflowName, stateType, state } });

/** An id that begins with a text and is counted in a shard of the totals. */
function inShard(shard: number, start: string): string {
  for (let n = 0; ; n += 1) if (shardOf(`${start}${n}`) === shard) return `${start}${n}`;
}

/** Tables with a document that one of the calls has read and the other writes. */
async function shared(one: Call, other: Call): Promise<string[]> {
  const found = [...(await overlaps(one, other)), ...(await overlaps(other, one))];
  return [...new Set(found.map(({ table }) => table))].sort();
}

async function withThreads(...resources: string[]): Promise<Deployment> {
  const deployment = deploy();
  for (const [i, resource] of resources.entries()) {
    await saveThread(deployment, `t${i + 1}`, resource)();
  }
  return deployment;
}

describe("messages", () => {
  test("saved one by one into different threads meet in a shard of the totals, one time in eight", async () => {
    const deployment = await withThreads("alice", "alice");
    const meeting = [];
    for (let shard = 0; shard < 8; shard += 1) {
      const one = saveMessages(deployment, "t1", inShard(3, "a"));
      meeting.push(await shared(one, saveMessages(deployment, "t2", inShard(shard, "b"))));
    }
    expect(meeting).toEqual([[], [], [], ["totals"], [], [], [], []]);
  });

  // Each of a batch counts in a shard of its own: two batches of two meet in 41 of 100 cases.
  test("saved in batches meet more often", async () => {
    const deployment = await withThreads("alice", "bob");
    const batch = (threadId: string, ...shards: number[]) =>
      saveMessages(deployment, threadId, ...shards.map((shard) => inShard(shard, threadId)));
    expect(await shared(batch("t1", 1, 2), batch("t2", 3, 4))).toEqual([]);
    expect(await shared(batch("t1", 1, 2), batch("t2", 2, 3))).toEqual(["totals"]);
  });

  test("meet in nothing else, also where the threads are the same resource's", async () => {
    const deployment = await withThreads("alice", "alice");
    for (let shard = 0; shard < 8; shard += 1) {
      await saveMessages(deployment, "t1", inShard(shard, "old"))();
    }
    const one = saveMessages(deployment, "t1", inShard(1, "a"));
    expect(await shared(one, saveMessages(deployment, "t2", inShard(2, "b")))).toEqual([]);
    const found = await overlaps(one, saveMessages(deployment, "t2", inShard(1, "b")));
    expect(found).toContainEqual({ table: "totals", index: "by_table", key: ["messages", 1] });
  });

  test("saved into one thread take their numbers one after another", async () => {
    const deployment = await withThreads("alice");
    const one = saveMessages(deployment, "t1", inShard(1, "a"));
    const other = saveMessages(deployment, "t1", inShard(2, "b"));
    expect(await shared(one, other)).toEqual(["threads"]);
    const [second] = await raced(one, other);
    expect(second.seq).toBe(2);
    const { page } = await query(deployment, "messages:list", {
      threadId: "t1",
      order: "asc",
      limit: 10,
    });
    expect(page.map((each: any) => each.seq)).toEqual([1, 2]);
  });

  test("saved while their thread is deleted are refused, and nothing of them is left", async () => {
    const deployment = await withThreads("alice");
    const remove = () => mutation(deployment, "threads:remove", { id: "t1" });
    const save = saveMessages(deployment, "t1", "m1");
    expect(await overlaps(save, remove)).toContainEqual({
      table: "threads",
      index: "by_key",
      key: ["t1"],
    });
    expect(await refusal(raced(save, remove))).toBe("NOT_FOUND");
    expect(await query(deployment, "messages:listById", { ids: ["m1"] })).toEqual([]);
  });

  test("saved before their thread is deleted go with it", async () => {
    const deployment = await withThreads("alice");
    const remove = () => mutation(deployment, "threads:remove", { id: "t1" });
    await raced(remove, saveMessages(deployment, "t1", "m1"));
    await settle(deployment);
    await saveThread(deployment, "t1", "alice")();
    expect(await query(deployment, "messages:listById", { ids: ["m1"] })).toEqual([]);
  });

  test("saved twice at once are saved once", async () => {
    const deployment = await withThreads("alice");
    const save = saveMessages(deployment, "t1", "m1");
    expect(await shared(save, save)).toContain("messages");
    expect(await raced(save, save)).toMatchObject([{ id: "m1", seq: 1 }]);
    expect(await query(deployment, "system:statistics")).toContainEqual(
      expect.objectContaining({ table: "messages", records: 1 }),
    );
  });
});

describe("records of their own", () => {
  test("resources are updated side by side; one resource, in turn", async () => {
    const deployment = deploy();
    const [one, other, same] = [inShard(1, "a"), inShard(2, "b"), inShard(1, "c")];
    const update = (id: string, name: string) => () =>
      mutation(deployment, "resources:update", { id, metadata: `{"${name}":"x"}` });
    for (const id of [one, other, same]) {
      await mutation(deployment, "resources:save", { resource: { id } });
    }
    expect(await shared(update(one, "n"), update(other, "n"))).toEqual([]);
    expect(await shared(update(one, "n"), update(same, "n"))).toEqual(["totals"]);
    expect(await shared(update(one, "n"), update(one, "m"))).toContain("resources");
    const merged = await raced(update(one, "n"), update(one, "m"));
    expect(JSON.parse(merged.metadata)).toEqual({ m: "x", n: "x" });
  });

  test("threads of different resources are made side by side; of one, its counter is shared", async () => {
    const deployment = deploy();
    const [one, other] = [inShard(1, "a"), inShard(2, "b")];
    const alice = saveThread(deployment, one, "alice");
    expect(await shared(alice, saveThread(deployment, other, "bob"))).toEqual([]);
    expect(await shared(alice, saveThread(deployment, other, "alice"))).toEqual(["counters"]);
  });

  test("runs go on side by side; where they change state, they meet in its counters", async () => {
    const deployment = deploy();
    const [one, other] = [inShard(1, "a"), inShard(2, "b")];
    for (const id of [one, other]) await saveRun(deployment, id, `w-${id}`, "running")();
    const goOn = (id: string) => saveRun(deployment, id, `w-${id}`, "running", '{"step":2}');
    const end = (id: string) => saveRun(deployment, id, `w-${id}`, "success");
    expect(await shared(goOn(one), goOn(other))).toEqual([]);
    expect(await shared(goOn(one), end(other))).toEqual([]);
    expect(await shared(end(one), end(other))).toEqual(["counters"]);
  });
});

describe("subscriptions", () => {
  const page = (deployment: Deployment, more: object) => () =>
    query(deployment, "threads:list", {
      resourceId: "alice",
      orderBy: "createdAt",
      order: "asc",
      limit: 2,
      ...more,
    });

  test("a page has read itself and the row that says there is more, not what follows", async () => {
    const deployment = deploy();
    for (let n = 1; n <= 5; n += 1) {
      vi.setSystemTime(1_000_000 + n);
      await saveThread(deployment, `t${n}`, "alice")();
    }
    const touched = async (id: string, more: object = {}) => {
      const rename = () => mutation(deployment, "threads:update", { id, title: "new" });
      return (await overlaps(page(deployment, more), rename)).length > 0;
    };
    expect(await Promise.all(["t1", "t2", "t3"].map((id) => touched(id)))).toEqual([
      true,
      true,
      true,
    ]);
    expect([await touched("t4"), await touched("t5")]).toEqual([false, false]);
    const { cursor } = await page(deployment, {})();
    expect([await touched("t1", { cursor }), await touched("t5", { cursor })]).toEqual([
      false,
      true,
    ]);
  });

  test("nothing of another resource touches it, and with a total only what is counted", async () => {
    const deployment = await withThreads("alice", "alice", "alice", "alice", "bob");
    const plain = page(deployment, {});
    const counted = page(deployment, { withTotal: true });
    const bobs = saveThread(deployment, "t6", "bob");
    const alices = saveThread(deployment, "t7", "alice");
    expect(await overlaps(counted, bobs)).toEqual([]);
    expect(await overlaps(plain, alices)).toEqual([]);
    const found = await overlaps(counted, alices);
    expect(found.map(({ table }) => table)).toEqual(["counters"]);
  });

  test("a list of messages has read its thread, and follows all that happens in it", async () => {
    const deployment = await withThreads("alice", "alice");
    await saveMessages(deployment, "t1", "m1", "m2", "m3", "m4")();
    const list = () =>
      query(deployment, "messages:list", { threadId: "t1", order: "asc", limit: 2 });
    const beyond = await overlaps(list, saveMessages(deployment, "t1", "m5"));
    expect(beyond.map(({ table }) => table)).toEqual(["threads"]);
    expect(await overlaps(list, saveMessages(deployment, "t2", "m5"))).toEqual([]);
  });

  test("a look-up that found nothing has read the gap", async () => {
    const deployment = deploy();
    const get = () => query(deployment, "threads:get", { id: "t1" });
    expect(await overlaps(get, saveThread(deployment, "t1", "alice"))).toHaveLength(1);
    expect(await overlaps(get, saveThread(deployment, "t2", "alice"))).toEqual([]);
  });
});

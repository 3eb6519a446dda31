/** The harness refuses what a deployment would; each check with a case that it is there for. */

import {
  defineSchema,
  defineTable,
  internalMutationGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from "convex/server";
import { compareValues, v, type Value } from "convex/values";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  call,
  deployWith,
  mutation,
  overlaps,
  query,
  raced,
  settle,
} from "./lib/harness.test-util.js";
import { beginningWith, IntervalSet } from "./lib/harnessIntervals.test-util.js";
import { checkExport, checkModulePath } from "./lib/harnessValues.test-util.js";

const MIB = 1024 * 1024;
const schema = defineSchema({
  things: defineTable(v.any()).index("by_name", ["name", "rank"]),
});

const write = async (ctx: any, args: any) => {
  await ctx.db.insert("things", args.thing);
};
const probe = {
  insert: mutationGeneric(write),
  step: internalMutationGeneric(write),
  later: mutationGeneric((ctx, args) => ctx.scheduler.runAfter(0, step, args)),
  echo: queryGeneric((_, args) => args.value),
  make: queryGeneric((_, { length }: any) => "x".repeat(length)),
  nest: queryGeneric((_, { depth }: any) => nested(depth)),
  page: queryGeneric((ctx, args: any) =>
    ctx.db
      .query("things")
      .withIndex("by_name", (q) => q.eq("name", "a"))
      .paginate(args),
  ),
  first: queryGeneric((ctx, { count }: any) =>
    ctx.db
      .query("things")
      .withIndex("by_name", (q) => q.eq("name", "a"))
      .take(count),
  ),
  rank: mutationGeneric(async (ctx, { name, rank }) => {
    const thing = await ctx.db
      .query("things")
      .withIndex("by_name", (q) => q.eq("name", name))
      .first();
    await ctx.db.patch(thing!._id, { rank });
    return thing!.rank;
  }),
};
const step = makeFunctionReference<"mutation">("probe:step");

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const deploy = () => deployWith(schema, { probe }) as ReturnType<typeof deployWith<any>>;

function nested(depth: number): Value {
  return depth === 0 ? 0 : [nested(depth - 1)];
}

/** Run a function of the test's own, and give the documents of `count` things to it. */
async function inline(
  given: Record<string, unknown>[],
  handler: (ctx: any, ids: string[]) => Promise<unknown>,
) {
  const deployment = deploy();
  const ids: string[] = [];
  for (let first = 0; first < given.length; first += 10) {
    await deployment.run(async (ctx: any) => {
      for (const thing of given.slice(first, first + 10)) {
        ids.push(await ctx.db.insert("things", thing));
      }
    });
  }
  await deployment.mutation((ctx: any) => handler(ctx, ids));
}
const many = (count: number) => Array.from({ length: count }, (_, rank) => ({ name: "a", rank }));
const large = (count: number, size: number) =>
  Array.from({ length: count }, () => ({ name: "a", text: "x".repeat(size) }));

describe("documents", () => {
  // Besides the text: fields and system fields.
  const fits = MIB - (2 + 5 + 2 + 4 + 34 + 14 + 9);
  const fields = (count: number) => Object.fromEntries(many(count).map((_, i) => [`f${i}`, 0]));
  const refused: [string, Record<string, Value>, RegExp][] = [
    ["a byte over 1 MiB", { text: "x".repeat(fits + 1) }, /too large/],
    ["17 levels", { deep: nested(16) }, /too nested/],
    ["8,193 items", { items: Array(8193).fill(0) }, /too long/],
    ["1,025 fields in an object", { object: fields(1025) }, /too many fields/],
    ["1,025 fields", fields(1025), /too many fields/],
    ["a field that begins with _", { _own: 1 }, /underscore/],
    ["a field that begins with $", { $own: 1 }, /'\$'/],
    ["a field in another script", { größe: 1 }, /ASCII/],
  ];
  const taken: [string, Record<string, Value>][] = [
    ["1 MiB", { text: "x".repeat(fits) }],
    ["16 levels", { deep: nested(15) }],
    ["8,192 items", { items: Array(8192).fill(0) }],
    ["1,024 fields in an object", { object: fields(1024) }],
    // Two of them are the system's.
    ["1,024 fields", fields(1022)],
    ["a field inside that begins with _", { object: { _own: 1 } }],
  ];
  const ways: [string, (ctx: any, id: string, thing: unknown) => Promise<unknown>][] = [
    ["inserted", (ctx, _, thing) => ctx.db.insert("things", thing)],
    ["patched in", (ctx, id, thing) => ctx.db.patch(id, thing)],
    ["put in place", (ctx, id, thing) => ctx.db.replace(id, thing)],
  ];
  for (const [way, how] of ways) {
    test.each(refused)(`%s, ${way}: refused`, async (_, thing, message) => {
      await expect(inline([{}], (ctx, [id]) => how(ctx, id!, thing))).rejects.toThrow(message);
    });
    test.each(taken)(`%s, ${way}: taken`, async (_, thing) => {
      await inline([{}], (ctx, [id]) => how(ctx, id!, thing));
    });
  }

  test("what a patch leaves counts as well, what it takes away does not", async () => {
    const half = "x".repeat(fits / 2);
    const patch = (change: object) => inline([{ half }], (ctx, [id]) => ctx.db.patch(id, change));
    await expect(patch({ other: half })).rejects.toThrow(/too large/);
    await patch({ other: half, half: undefined });
  });

  test("in scheduled steps too", async () => {
    const deployment = deploy();
    const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
    await mutation(deployment, "probe:later", { thing: { deep: nested(16) } });
    await expect(settle(deployment)).rejects.toThrow("a step failed");
    expect(String(quiet.mock.calls[0]![1])).toMatch(/too nested/);
    quiet.mockRestore();
  });
});

describe("arguments and results", () => {
  test.each<[string, string, Record<string, Value>, RegExp]>([
    ["arguments over 16 MiB", "echo", { value: "x".repeat(16 * MIB) }, /^Arguments .* too large/],
    ["a result over 16 MiB", "make", { length: 16 * MIB }, /^Return value .* too large/],
    ["arguments of 65 levels", "echo", { value: nested(64) }, /^Arguments .* too nested/],
    ["a result of 65 levels", "nest", { depth: 65 }, /^Return value .* too nested/],
    ["8,193 items", "echo", { value: Array(8193).fill(0) }, /^Arguments .* too long/],
  ])("%s", async (_, name, args, message) => {
    await expect(query(deploy(), `probe:${name}`, args)).rejects.toThrow(message);
  });

  test("what just fits", async () => {
    const deployment = deploy();
    for (const value of ["x".repeat(15 * MIB), nested(63), Array(8192).fill(0)]) {
      expect(await query(deployment, "probe:echo", { value })).toEqual(value);
    }
  });
});

describe("what a transaction reads and writes", () => {
  const each =
    (what: (db: any, id: string) => unknown) =>
    async ({ db }: any, ids: string[]) => {
      for (const id of ids) await what(db, id);
    };

  test.each<[string, (db: any, id: string) => unknown]>([
    ["get", (db, id) => db.get(id)],
    ["patch", (db, id) => db.patch(id, { rank: -1 })],
    ["replace", (db, id) => db.replace(id, {})],
    ["delete", (db, id) => db.delete(id)],
  ])("4,096 times %s is possible, and no more", async (_, what) => {
    await inline(many(4096), each(what));
    await expect(inline(many(4097), each(what))).rejects.toThrow(/Too many reads/);
  });

  test("so are 4,096 queries that find nothing", async () => {
    const queries = (count: number) =>
      inline([], async (ctx) => {
        for (let rank = 0; rank < count; rank += 1) {
          const range = (q: any) => q.eq("name", "a").eq("rank", rank);
          await ctx.db.query("things").withIndex("by_name", range).first();
        }
      });
    await queries(4096);
    await expect(queries(4097)).rejects.toThrow(/Too many reads/);
  });

  test("what is read again counts once", async () => {
    await inline(many(1), async (ctx, [id]) => {
      for (let i = 0; i < 5000; i += 1) await ctx.db.get(id);
    });
    await inline(many(5000), async (ctx) => {
      const all = ctx.db.query("things").withIndex("by_name", (q: any) => q.eq("name", "a"));
      expect(await all.collect()).toHaveLength(5000);
    });
  });

  test.each<[string, object[], (ctx: any, ids: string[]) => Promise<unknown>, RegExp]>([
    ["16 MiB read", large(17, MIB - 200), each((db, id) => db.get(id)), /Read too much/],
    [
      "9 MiB read and deleted",
      large(9, MIB - 200),
      each(async (db, id) => {
        await db.get(id);
        await db.delete(id);
      }),
      /Read too much/,
    ],
    [
      "32,000 documents read",
      many(4000),
      async (ctx, ids) => {
        for (let i = 0; i < 9; i += 1) await each((db, id) => db.get(id))(ctx, ids);
      },
      /too many documents/,
    ],
    [
      "16,000 documents written",
      many(1),
      async (ctx) => {
        for (const thing of many(16_001)) await ctx.db.insert("things", thing);
      },
      /too many documents/,
    ],
    [
      "16 MiB written",
      [],
      async (ctx) => {
        for (const thing of large(17, MIB - 200)) await ctx.db.insert("things", thing);
      },
      /Wrote too much/,
    ],
    [
      "1,000 functions scheduled",
      [],
      async (ctx) => {
        for (let i = 0; i <= 1000; i += 1) await ctx.scheduler.runAfter(0, step, {});
      },
      /Scheduled too many/,
    ],
    [
      "4 MiB of arguments of a scheduled function",
      [],
      (ctx) => ctx.scheduler.runAfter(0, step, { text: "x".repeat(4 * MIB) }),
      /Arguments of a scheduled function/,
    ],
    [
      "16 MiB of arguments of scheduled functions",
      [],
      async (ctx) => {
        for (let i = 0; i < 5; i += 1) {
          await ctx.scheduler.runAfter(0, step, { text: "x".repeat(3.5 * MIB) });
        }
      },
      /arguments too large/,
    ],
  ])("over %s", async (_, given, handler, message) => {
    await expect(inline(given as Record<string, unknown>[], handler)).rejects.toThrow(message);
  });

  test.each<[string, (db: any) => unknown, RegExp]>([
    ["query without an index", (db) => db.query("things").take(1), /without withIndex/],
    [
      "filter",
      (db) =>
        db
          .query("things")
          .withIndex("by_name")
          .filter(() => true)
          .take(1),
      /filter/,
    ],
    ["whole index", (db) => db.query("things").withIndex("by_name").collect(), /without a limit/],
    [
      "half an index",
      (db) =>
        db
          .query("things")
          .withIndex("by_name", (q: any) => q.gt("name", "a"))
          .collect(),
      /without a limit/,
    ],
    [
      "page without an index",
      (db) => db.query("things").paginate({ cursor: null, numItems: 1 }),
      /without withIndex/,
    ],
    ["count", (db) => db.query("things").count(), /count/],
  ])("a %s is refused", async (_, read, message) => {
    await expect(inline([], async (ctx) => read(ctx.db))).rejects.toThrow(message);
  });
});

describe("paths", () => {
  test("clients call public functions only", async () => {
    const deployment = deploy();
    for (const path of ["probe:step", "probe:missing", "missing:get"]) {
      const called = call(deployment, "mutation", path, { thing: {} });
      await expect(called).rejects.toThrow(`Could not find public function for '${path}'`);
    }
    await mutation(deployment, "probe:later", { thing: {} });
    await settle(deployment);
    expect(await deployment.run((ctx: any) => ctx.db.query("things").collect())).toHaveLength(1);
  });

  test("modules and exports have names that Convex deploys", async () => {
    expect(() => deployWith(schema, { "my-probe": probe })).toThrow("my-probe");
    for (const path of ["lib/", "_deps/a", "crons", "a b", "ä", "x".repeat(65), "_"]) {
      expect(() => checkModulePath(path), path).toThrow(path);
    }
    for (const name of ["", "1st", "größe", "x".repeat(65)]) {
      expect(() => checkExport("probe", name), name).toThrow(`'probe:${name}'`);
    }
    const odd = deployWith(schema, { probe: { ...probe, größe: probe.echo } }) as never;
    await expect(query(odd, "probe:echo")).rejects.toThrow("probe:größe");
  });
});

describe("conflicts", () => {
  const insert = (deployment: any, thing: object) => () =>
    mutation(deployment, "probe:insert", { thing });
  const first = (deployment: any, count: number) => () =>
    query(deployment, "probe:first", { count });

  test("a call has read its range as far as it went", async () => {
    const deployment = deploy();
    for (const rank of [10, 20, 30]) await insert(deployment, { name: "a", rank })();
    const inside = (rank: number, count = 2) =>
      overlaps(first(deployment, count), insert(deployment, { name: "a", rank }));
    expect(await inside(15)).toEqual([{ table: "things", index: "by_name", key: ["a", 15] }]);
    expect(await inside(5)).toHaveLength(1);
    expect(await inside(25)).toEqual([]);
    expect(await inside(25, 3)).toHaveLength(1);
    // Three were asked for and three found: what comes after them was not looked at.
    expect(await inside(35, 3)).toEqual([]);
    expect(await inside(35, 4)).toHaveLength(1);
    expect(await overlaps(first(deployment, 4), insert(deployment, { name: "b" }))).toEqual([]);
  });

  test("a page has read its range up to its last document", async () => {
    const deployment = deploy();
    for (const rank of [10, 20, 30]) await insert(deployment, { name: "a", rank })();
    const page = (cursor: string | null) => () =>
      query(deployment, "probe:page", { cursor, numItems: 2 });
    const inside = async (rank: number, cursor: string | null = null) =>
      (await overlaps(page(cursor), insert(deployment, { name: "a", rank }))).length > 0;
    expect([await inside(5), await inside(15), await inside(25)]).toEqual([true, true, false]);
    const { continueCursor } = await page(null)();
    expect(await inside(35, continueCursor)).toBe(true);
    expect(await overlaps(page(null), insert(deployment, { name: "b" }))).toEqual([]);
  });

  test("old and new keys of what is written both count; what stays the same does not", async () => {
    const deployment = deploy();
    await insert(deployment, { name: "a", rank: 10 })();
    const rank = (rank: number) => () => mutation(deployment, "probe:rank", { name: "a", rank });
    const found = await overlaps(first(deployment, 2), rank(20));
    expect(found.map(({ key }) => key)).toEqual([
      ["a", 10],
      ["a", 20],
    ]);
    expect(await overlaps(rank(20), rank(30))).toContainEqual(
      expect.objectContaining({ index: "by_id" }),
    );
    expect(await overlaps(first(deployment, 2), rank(10))).toEqual([]);
  });

  test("looking for them leaves nothing behind; who loses a race runs again", async () => {
    const deployment = deploy();
    await insert(deployment, { name: "a", rank: 10 })();
    const rank = (rank: number) => () => mutation(deployment, "probe:rank", { name: "a", rank });
    await overlaps(rank(20), rank(30));
    expect(await rank(11)()).toBe(10);
    expect(await raced(rank(13), rank(12))).toBe(12);
    expect(await rank(0)()).toBe(13);
  });

  test("intervals that touch are one", () => {
    const set = new IntervalSet();
    const numbers = Array.from({ length: 50 }, (_, i) => (i * 37) % 50);
    for (const n of numbers) set.add(beginningWith([n]));
    expect(set.size).toBe(50);
    const above = (n: number) => ({ values: [n], after: true });
    set.add({ low: above(10), high: { values: [20], after: false } });
    expect(set.size).toBe(50 - 10);
    expect([set.has([10, "a"]), set.has([10.5]), set.has([20.5])]).toEqual([true, true, false]);
  });
});

test("what an index finds is what all documents hold, whatever was written before", async () => {
  const values = [undefined, null, 0, -0, NaN, 1, 1n, "", "0", "1", true, false, [1], { a: 1 }];
  const deployment = deploy();
  const ids = await deployment.run((ctx: any) =>
    Promise.all(values.map((name, rank) => ctx.db.insert("things", { name, rank }))),
  );
  const lost = deployment.mutation(async (ctx: any) => {
    await ctx.db.insert("things", { name: "0" });
    throw new Error("lost");
  });
  await expect(lost).rejects.toThrow("lost");
  /** By each value and rank: what the index has, and what a look at everything finds. */
  const compared = (ctx: any) =>
    Promise.all(
      values.flatMap((name) =>
        [0, 3, 8].map(async (rank) => {
          const named = (q: any) => q.eq("name", name);
          const all = await ctx.db.query("things").collect();
          const equal = all.filter((thing: any) => compareValues(thing.name, name) === 0);
          expect(
            new Set(await ctx.db.query("things").withIndex("by_name", named).collect()),
          ).toEqual(new Set(equal));
          const ranked = (q: any) => named(q).gte("rank", rank);
          expect(await ctx.db.query("things").withIndex("by_name", ranked).first()).toEqual(
            equal
              .filter((thing: any) => thing.rank >= rank)
              .sort((one: any, other: any) => one.rank - other.rank)[0] ?? null,
          );
          return equal.length;
        }),
      ),
    );
  await deployment.run(async (ctx: any) => {
    expect(await compared(ctx)).toContain(1);
    // Each takes the next one's value, then some go: seen inside the transaction, and after it.
    for (const [i, id] of ids.entries()) {
      if (i % 3) await ctx.db.patch(id, { name: values[(i + 1) % values.length] });
      if (i % 4 === 0) await ctx.db.delete(id);
    }
    expect(await compared(ctx)).toContain(2);
  });
  await deployment.run(compared);
});

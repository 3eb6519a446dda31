/** Cursors: the same list whatever its pages, while records come and go; none but our own. */

import { expect, test } from "vitest";
import { deploy, type Deployment, mutation, query, refusal } from "./lib/harness.test-util.js";

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

/** System: what is in the store, and clearing it. */

import { v } from "convex/values";
import { requireService, storageMutation, storageQuery, storageStep } from "./lib/access.js";
import { clearSome, newestTime } from "./lib/clearing.js";
import { PARTS, type Table, TABLES } from "./lib/tables.js";
import * as totals from "./lib/totals.js";
import { FORMAT_VERSION, FUNCTIONS_VERSION } from "./lib/version.js";

const vTable = v.union(...TABLES.map((name) => v.literal(name)));

/** The number of the format of what is stored, and that of these functions. */
export const version = storageQuery({
  args: {},
  returns: v.object({ format: v.number(), functions: v.number() }),
  handler: async () => ({ format: FORMAT_VERSION, functions: FUNCTIONS_VERSION }),
});

/** Records, and bytes of their values, per table. */
export const statistics = storageQuery({
  args: {},
  returns: v.array(v.object({ table: vTable, records: v.number(), bytes: v.number() })),
  handler: async (ctx) => {
    requireService(ctx, "reading statistics");
    const found = [];
    for (const table of TABLES) {
      const { documents, bytes } = await totals.total(ctx.db, table);
      const parts: readonly Table[] = table === "spans" ? PARTS.spans : [];
      let size = bytes;
      for (const part of parts) size += (await totals.total(ctx.db, part)).bytes;
      found.push({ table, records: documents, bytes: size });
    }
    return found;
  },
});

/** Delete every record that a table has now. Threads take their messages along. */
export const clear = storageMutation({
  args: { table: vTable },
  returns: v.null(),
  handler: async (ctx, args) => {
    requireService(ctx, "clearing a table");
    const until = await newestTime(ctx, args.table);
    await clearSome(ctx, args.table, until ?? 0);
    return null;
  },
});

/** The next records of a table that is being cleared. */
export const clearMore = storageStep({
  args: { table: vTable, until: v.number() },
  returns: v.null(),
  handler: async (ctx, args) => {
    await clearSome(ctx, args.table, args.until);
    return null;
  },
});

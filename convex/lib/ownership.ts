/**
 * Giving a thread to another owner, however long it is.
 *
 * The thread's document changes in the first transaction, and with it, for every reader, all of its
 * messages: `takenOver` in it says that messages up to that `seq` belong to the thread's owner,
 * whatever they say themselves (lib/touched.ts). What does not fit into that transaction is written
 * into them in scheduled steps. Until the last, lists of a resource's messages leave the thread out,
 * and messages that are taken over cannot be changed.
 */

import type { Doc } from "../_generated/dataModel.js";
import type { Writer } from "./access.js";
import { inlineBytes, load } from "./chunks.js";
import { conflict } from "./errors.js";
import { threadRange } from "./paging.js";
import { keyOf, walk } from "./ranges.js";
import * as records from "./records.js";
import { hasRoom, STEP_RECORDS } from "./steps.js";
import type { Public, Row } from "./tables.js";

// Rows that are read at a time.
const ROWS = 50;

/** What a change of owner needs to go on: kept in its job. */
export type Ownership = NonNullable<Doc<"jobs">["own"]>;

/** Give the thread's document to a resource, as it will be when all messages have followed. */
export async function giveThread(
  ctx: Writer,
  thread: Row<"threads">,
  resourceId: string,
  takenOver: number | undefined,
): Promise<Public<"threads">> {
  const before = await load(ctx, thread);
  const updatedAt = records.later(ctx, thread);
  return records.patch(ctx, "threads", before, { resourceId, updatedAt, takenOver });
}

/** Throw CONFLICT while messages of the thread are being taken over. */
export function requireSettled(thread: Row<"threads">): void {
  if (thread.takenOver === undefined) return;
  throw conflict(
    `thread '${thread.id}' is still being given to another owner; try again in a moment`,
    {
      table: "threads",
      id: thread.id,
    },
  );
}

/** Write the owner into the next messages; whether that was all. Changes `own`, to go on from. */
export async function takeOver(ctx: Writer, threadId: string, own: Ownership): Promise<boolean> {
  const range = threadRange(threadId);
  for (let seen = 0; seen < STEP_RECORDS && hasRoom(ctx, ROWS);) {
    const rows = await walk(ctx, range, "asc", own.after ?? null, ROWS);
    for (const row of rows as Row<"messages">[]) {
      ctx.load.note(inlineBytes(row));
      seen += 1;
      if (row.seq <= own.lastSeq && row.resourceId !== own.resourceId) {
        await records.patchRow(ctx, "messages", row, { resourceId: own.resourceId });
      }
      own.after = keyOf(range, row);
    }
    if (rows.length < ROWS) return true;
  }
  return false;
}

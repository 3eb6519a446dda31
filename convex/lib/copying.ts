/** Copying messages into a thread that is not there yet: newest first, a bounded part at a time. */

import type { Doc } from "../_generated/dataModel.js";
import type { Writer } from "./access.js";
import * as chunks from "./chunks.js";
import { conflict, invalidArgument } from "./errors.js";
import { threadRange } from "./paging.js";
import { merge } from "./payloads.js";
import { keyOf, type Range, walk } from "./ranges.js";
import * as records from "./records.js";
import { hasRoom, STEP_RECORDS } from "./steps.js";
import type { Row, Stored } from "./tables.js";
import { copyId, copyPrefix } from "./text.js";
import { Threads } from "./touched.js";

// Rows that are read at a time. Copying, unlike deleting, reads nothing twice.
const ROWS = 250;

/** What a copy needs to go on: kept in its job. */
export type Copying = NonNullable<Doc<"jobs">["clone"]>;

/** All messages are there, or some are missing. */
export type Progress = "done" | "more";

/** The thread as it is stored when all its messages are there. */
export function newThread(copying: Copying): Stored<"threads"> {
  return { ...copying.thread, messageCount: copying.copied, lastSeq: copying.lastSeq };
}

interface CloneArgs {
  thread: { id: string; resourceId?: string; title?: string; metadata?: string };
  from?: number;
  to?: number;
  messageIds?: string[];
  limit?: number;
}

/** What to copy from `source`, before the first message is. */
export async function copyingOf(
  ctx: Writer,
  source: Row<"threads">,
  args: CloneArgs,
): Promise<Copying> {
  const { from, to, limit = 0 } = args;
  if (limit < 0 || !Number.isInteger(limit)) {
    throw invalidArgument(`limit must be whole, and 0 for all, not ${limit}`);
  }
  const chosen = args.messageIds?.length ? await chosenIds(ctx, source.id, args) : undefined;
  return {
    source: source._id,
    sourceId: source.id,
    thread: {
      ...args.thread,
      ...(args.thread.title === undefined && (await titleOfCopy(ctx, source))),
      resourceId: args.thread.resourceId ?? source.resourceId,
      createdAt: ctx.now,
      updatedAt: ctx.now,
    },
    lastSeq: source.lastSeq,
    copied: 0,
    ...(args.thread.resourceId !== undefined && { resourceId: args.thread.resourceId }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(chosen && { messageIds: chosen, lastMessageId: chosen[0] }),
    limit: limit || Infinity,
  };
}

async function titleOfCopy(ctx: Writer, source: Row<"threads">) {
  const { title } = await records.read(ctx, source);
  return title ? { title: `Clone of ${title}` } : {};
}

/** Write into the new thread's metadata what it is a copy of, once the first message is known. */
export function mark(copying: Copying): void {
  const { sourceId, thread, lastMessageId } = copying;
  const clone = { sourceThreadId: sourceId, clonedAt: thread.createdAt, lastMessageId };
  thread.metadata = merge(thread.metadata, JSON.stringify({ clone }));
}

async function chosenIds(ctx: Writer, sourceId: string, args: CloneArgs): Promise<string[]> {
  const { from = -Infinity, to = Infinity } = args;
  const found: Row<"messages">[] = [];
  for (const id of new Set(args.messageIds)) {
    const row = await records.byKey(ctx, "messages", id);
    ctx.load.check("read", "copying messages by their ids");
    if (row?.threadId === sourceId && from <= row.createdAt && row.createdAt <= to) found.push(row);
  }
  found.sort((a, b) => b.createdAt - a.createdAt || b.seq - a.seq);
  return found.map((row) => row.id);
}

/** Copy the next messages. Changes `copying`, which then knows how far it has come. */
export async function copyMessages(ctx: Writer, copying: Copying): Promise<Progress> {
  const threads = new Threads(ctx);
  for (let seen = 0; seen < STEP_RECORDS && hasRoom(ctx, ROWS);) {
    if (copying.copied === copying.limit) return "done";
    const { rows, isLast } = await nextRows(ctx, copying);
    for (const row of rows) {
      if (seen > 0 && chunks.chunkedBytes(row) > ctx.load.room) return "more";
      seen += 1;
      await copy(ctx, threads, copying, row);
      if (copying.messageIds) copying.messageIds.splice(0, copying.messageIds.indexOf(row.id) + 1);
      else copying.after = keyOf(sourceRange(copying), row);
    }
    if (isLast) return "done";
  }
  return "more";
}

async function nextRows(ctx: Writer, copying: Copying) {
  const count = Math.min(ROWS, copying.limit - copying.copied);
  if (copying.messageIds) return chosenRows(ctx, copying, copying.messageIds, count);
  const after = copying.after ?? null;
  const rows = await walk(ctx, sourceRange(copying), "desc", after, count);
  for (const row of rows) ctx.load.note(chunks.inlineBytes(row));
  return { rows: rows as Row<"messages">[], isLast: rows.length < count };
}

async function chosenRows(ctx: Writer, copying: Copying, ids: string[], count: number) {
  const rows = [];
  for (const id of ids.slice(0, count)) {
    const row = await records.byKey(ctx, "messages", id);
    // It may have gone, or moved, since it was chosen.
    if (row?.threadId === copying.sourceId) rows.push(row);
  }
  const isLast = ids.length <= count;
  if (rows.length === 0) ids.splice(0, count);
  return { rows, isLast };
}

function sourceRange({ sourceId, from, to }: Copying): Range {
  return { ...threadRange(sourceId), from, to };
}

/**
 * Throw CONFLICT if any message has an id like those of the copies.
 *
 * An earlier copy of that name may have left one that was moved to another thread.
 */
export async function requireFreeIds(ctx: Writer, threadId: string): Promise<void> {
  const prefix = await copyPrefix(threadId);
  const taken = await ctx.db
    .query("messages")
    // A full stop comes after the hyphen that the prefix ends with.
    .withIndex("by_key", (q) => q.gte("id", prefix).lt("id", `${prefix.slice(0, -1)}.`))
    .first();
  if (taken) {
    throw conflict(
      `thread '${threadId}' cannot be made: there is a message with the id of one of its copies; ` +
        "choose another id for the thread",
      { table: "threads", id: threadId },
    );
  }
}

async function copy(
  ctx: Writer,
  threads: Threads,
  copying: Copying,
  row: Row<"messages">,
): Promise<void> {
  // What was added to the source after the copying began is no part of it.
  if (row.seq > copying.lastSeq) return;
  const threadId = copying.thread.id;
  const { resourceId, ...message } = await threads.read(row);
  const owner = copying.resourceId ?? resourceId;
  // What a step writes is bounded by what it reads.
  await records.put(ctx, "messages", {
    ...message,
    ...(owner !== undefined && { resourceId: owner }),
    id: await copyId(threadId, row.id),
    threadId,
    seq: copying.lastSeq - copying.copied,
  });
  copying.copied += 1;
  copying.lastMessageId ??= row.id;
}

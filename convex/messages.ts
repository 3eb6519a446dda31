/**
 * Messages: what was said in a thread.
 *
 * Each message gets a `seq`, a number per thread, given out in the transaction that adds it. A
 * message is there for its readers as long as its thread is (lib/cascade.ts).
 */

import { paginationOptsValidator, paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { storageMutation, storageQuery, type Writer } from "./lib/access.js";
import { checkBatch } from "./lib/batches.js";
import { jobOf } from "./lib/cascade.js";
import { load } from "./lib/chunks.js";
import { conflict, invalidArgument, notFound } from "./lib/errors.js";
import { nothingPaginated, paginated } from "./lib/pagination.js";
import { arrivalsOf, nothing, pageOf } from "./lib/paging.js";
import { mergeContent } from "./lib/payloads.js";
import * as records from "./lib/records.js";
import type { Public, Row } from "./lib/tables.js";
import { Threads } from "./lib/threads.js";
import {
  arrivals,
  arrivalsArgs,
  listArgs,
  messageFields,
  page,
  payload,
  record,
  saved,
} from "./validators.js";

type Message = Public<"messages">;

/** A page of a thread's messages, by `createdAt` and then `seq`. */
export const list = storageQuery({
  args: { threadId: v.string(), ...listArgs },
  returns: page(messageFields),
  handler: async (ctx, { threadId, ...args }) => {
    const thread = await records.visibleThread(ctx, threadId);
    if (!thread && (args.withTotal || !ctx.principal.isService)) return nothing<"messages">(args);
    const found = await pageOf(ctx, "messages", "by_thread_created", [threadId], args, !thread);
    const whole = args.from === undefined && args.to === undefined;
    if (thread && args.withTotal && whole) found.total = thread.messageCount;
    return found;
  },
});

/** A thread's messages as `list` has them, for clients that paginate as Convex's do. */
export const paginate = storageQuery({
  args: {
    threadId: v.string(),
    order: v.union(v.literal("asc"), v.literal("desc")),
    paginationOpts: paginationOptsValidator,
  },
  returns: paginationResultValidator(record(messageFields)),
  handler: async (ctx, { threadId, order, paginationOpts }) => {
    if (!(await records.visibleThread(ctx, threadId))) return nothingPaginated(paginationOpts);
    const messages = ctx.db
      .query("messages")
      .withIndex("by_thread_created", (q) => q.eq("threadId", threadId));
    return paginated<Row<"messages">>(ctx, messages.order(order), paginationOpts);
  },
});

/** Messages in the order in which they arrived, whoever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(messageFields),
  handler: (ctx, args) => {
    const threads = new Threads(ctx);
    return arrivalsOf(ctx, "messages", args, (message) => threads.isVisible(message.threadId));
  },
});

/** The messages with these ids that there are, in the order of the ids. */
export const listById = storageQuery({
  args: { ids: v.array(v.string()) },
  returns: v.array(record(messageFields)),
  handler: async (ctx, args) => {
    checkBatch(args.ids.length, "ids");
    const threads = new Threads(ctx);
    const found: Message[] = [];
    for (const id of new Set(args.ids)) {
      const message = await records.byKey(ctx, "messages", id);
      if (!message || !(await threads.isVisible(message.threadId))) continue;
      found.push(await records.read(ctx, message));
      ctx.load.check("read", "listing messages by their ids");
    }
    return found;
  },
});

/**
 * Save messages by their ids, replacing those that are there; all of them, or none.
 *
 * A message that is there already, and equal, is left alone, and so is its thread.
 */
export const save = storageMutation({
  args: { messages: v.array(saved(messageFields)) },
  returns: v.array(record(messageFields)),
  handler: async (ctx, args) => {
    checkBatch(args.messages.length, "messages");
    const threads = new Threads(ctx);
    const found: Message[] = [];
    for (const message of args.messages) {
      found.push(await saveOne(ctx, threads, message));
      ctx.load.check("read", "saving messages");
    }
    await threads.write(ctx);
    return found;
  },
});

type Given = Omit<Message, "createdAt" | "seq"> & { createdAt?: number };

async function saveOne(ctx: Writer, threads: Threads, message: Given): Promise<Message> {
  const { id, threadId } = message;
  if (!(await threads.isVisible(threadId))) {
    throw notFound(
      `message '${id}' names thread '${threadId}', which does not exist; save the thread first`,
      { table: "threads", id: threadId },
    );
  }
  const before = await present(ctx, threads, id);
  if (before === null) {
    const seq = await threads.touch(threadId, 1, ctx.now);
    return records.insert(ctx, "messages", { createdAt: ctx.now, ...message, seq });
  }
  if (!(await threads.isVisible(before.threadId))) {
    throw invalidArgument(`message '${id}' cannot be saved; choose another id`);
  }
  const old = await load(ctx, before);
  const document = { ...message, createdAt: before.createdAt, seq: before.seq };
  if (records.equal(document, old.record)) return document;
  if (before.threadId === threadId) await threads.touch(threadId, 0, ctx.now);
  else {
    await threads.touch(before.threadId, -1, 0);
    document.seq = await threads.touch(threadId, 1, ctx.now);
  }
  return records.replace(ctx, "messages", old, document);
}

/** The message with this id, or null; one whose thread is being deleted goes now. */
async function present(ctx: Writer, threads: Threads, id: string): Promise<Row<"messages"> | null> {
  const message = await records.byKey(ctx, "messages", id);
  if (message === null || (await threads.exists(message.threadId))) return message;
  if ((await jobOf(ctx, message.threadId))?.kind === "clone") {
    throw conflict(`message '${id}' is still being copied; try again in a moment`, {
      table: "messages",
      id,
    });
  }
  await records.remove(ctx, "messages", message);
  return null;
}

const changes = {
  id: v.string(),
  role: v.optional(v.string()),
  type: v.optional(v.string()),
  threadId: v.optional(v.string()),
  resourceId: v.optional(v.string()),
  content: v.optional(payload()),
};

/**
 * Change messages; content is merged over the old. Unknown ids are skipped.
 *
 * A message may move to another thread; both are bumped, the new one at least 1 ms later.
 */
export const update = storageMutation({
  args: { messages: v.array(v.object(changes)) },
  returns: v.array(record(messageFields)),
  handler: async (ctx, args) => {
    checkBatch(args.messages.length, "messages");
    const threads = new Threads(ctx);
    const found: Message[] = [];
    for (const { id, ...change } of args.messages) {
      const row = await records.byKey(ctx, "messages", id);
      const source = row && (await threads.get(row.threadId));
      if (!row || !source) continue;
      const before = await load(ctx, row);
      ctx.load.check("read", "changing messages");
      const fields: Partial<Message> = change;
      if (change.content !== undefined) {
        fields.content = mergeContent(before.record.content, change.content);
      }
      const bumped = records.later(ctx, source);
      const target = change.threadId ?? row.threadId;
      if (target === row.threadId) await threads.touch(target, 0, bumped);
      else {
        const entered = await threads.get(target);
        if (!entered) {
          throw notFound(
            `message '${id}' cannot move to thread '${target}', which does not exist; ` +
              "save the thread first",
            { table: "threads", id: target },
          );
        }
        await threads.touch(row.threadId, -1, bumped);
        fields.seq = await threads.touch(target, 1, records.later(ctx, entered, bumped + 1));
      }
      found.push(await records.patch(ctx, "messages", before, fields));
    }
    await threads.write(ctx);
    return found;
  },
});

/** Delete messages. Unknown ids are fine. */
export const remove = storageMutation({
  args: { ids: v.array(v.string()) },
  returns: v.null(),
  handler: async (ctx, args) => {
    checkBatch(args.ids.length, "ids");
    const threads = new Threads(ctx);
    for (const id of args.ids) {
      const message = await records.byKey(ctx, "messages", id);
      if (!message || !(await threads.isVisible(message.threadId))) continue;
      await records.remove(ctx, "messages", message);
      await threads.touch(message.threadId, -1, ctx.now);
      ctx.load.check("read", "deleting messages");
    }
    await threads.write(ctx);
    return null;
  },
});

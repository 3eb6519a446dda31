/**
 * Messages: what was said in a thread.
 *
 * Each message gets a `seq`, a number per thread, given out in the transaction that adds it. A
 * message is there for its readers as long as its thread is (lib/cascade.ts).
 */

import { paginationOptsValidator, paginationResultValidator } from "convex/server";
import { v } from "convex/values";
import { owns, storageMutation, storageQuery, type Writer } from "./lib/access.js";
import { checkBatch } from "./lib/batches.js";
import { messagesBeside } from "./lib/beside.js";
import { jobOf } from "./lib/cascade.js";
import { load } from "./lib/chunks.js";
import * as counters from "./lib/counters.js";
import { conflict, invalidArgument, notFound, unauthenticated } from "./lib/errors.js";
import { MAX_THREADS, messagesOf } from "./lib/merging.js";
import { nothingPaginated, paginated } from "./lib/pagination.js";
import { arrivalsOf, limitOf, nothing, pageOf } from "./lib/paging.js";
import { mergeContent } from "./lib/payloads.js";
import * as records from "./lib/records.js";
import { hasRoom } from "./lib/steps.js";
import type { Public, Row } from "./lib/tables.js";
import { Threads } from "./lib/touched.js";
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

/**
 * A page of a thread's messages, by `createdAt` and then `seq`.
 *
 * With `resourceId`, of those that belong to it: messages of others are looked at and left out, so
 * that the page may have fewer.
 */
export const list = storageQuery({
  args: { threadId: v.string(), resourceId: v.optional(v.string()), ...listArgs },
  returns: page(messageFields),
  handler: async (ctx, { threadId, resourceId, ...args }) => {
    const threads = new Threads(ctx);
    const thread = await threads.get(threadId);
    if (!thread && (args.withTotal || !ctx.principal.isService)) return nothing<"messages">(args);
    const look = {
      hidden: !thread,
      keep: async (message: Row<"messages">) =>
        resourceId === undefined || (await threads.ownerOf(message)) === resourceId,
      publish: (message: Row<"messages">) => threads.read(message),
    };
    const found = await pageOf(ctx, "messages", "by_thread_created", [threadId], args, look);
    if (thread && args.withTotal && args.from === undefined && args.to === undefined) {
      if (resourceId === undefined) found.total = thread.messageCount;
      // Where messages are being taken over, their owners are not counted yet.
      else if (thread.takenOver === undefined) {
        found.total = await counters.owned(ctx, resourceId, threadId);
      }
    }
    return found;
  },
});

/**
 * A page of the messages of up to 100 threads, by `createdAt`, then thread, then `seq`.
 *
 * Threads are in the order given; those that the caller may not see are left out.
 */
export const listByThreads = storageQuery({
  args: { threadIds: v.array(v.string()), resourceId: v.optional(v.string()), ...listArgs },
  returns: page(messageFields),
  handler: (ctx, args) => {
    const { length } = args.threadIds;
    if (length > MAX_THREADS || new Set(args.threadIds).size < length) {
      throw invalidArgument(`threadIds are up to ${MAX_THREADS} different ids, not ${length}`);
    }
    return messagesOf(ctx, new Threads(ctx), args);
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
    const threads = new Threads(ctx);
    return paginated<Row<"messages">>(ctx, messages.order(order), paginationOpts, (message) =>
      threads.read(message),
    );
  },
});

/**
 * A page of the messages that belong to a resource, by `createdAt` and then `seq`.
 *
 * Their total is `messages:countByResource`. What is in threads that the caller may not see is left
 * out, so that the page may have fewer.
 */
export const listByResource = storageQuery({
  args: { resourceId: v.string(), ...listArgs },
  returns: page(messageFields),
  handler: async (ctx, { resourceId, ...args }) => {
    if (!owns(ctx, resourceId)) return nothing<"messages">(args);
    const threads = new Threads(ctx);
    return pageOf(ctx, "messages", "by_resource_created", [resourceId], args, {
      keep: (message) => threads.isSettled(message.threadId),
      publish: (message) => threads.read(message),
    });
  },
});

/**
 * How many messages belong to a resource in the next `limit` threads that have any, by their ids.
 *
 * Threads that the caller may not see are left out. The answer's `after` is the next call's; it is null at the end.
 */
export const countByResource = storageQuery({
  args: { resourceId: v.string(), after: v.optional(v.string()), limit: v.number() },
  returns: v.object({ count: v.number(), after: v.union(v.string(), v.null()) }),
  handler: async (ctx, { resourceId, after = "", ...args }) => {
    const limit = limitOf(args.limit);
    if (!owns(ctx, resourceId)) return { count: 0, after: null };
    const threads = new Threads(ctx);
    let [count, counted, last, at] = [0, 0, after, after];
    // It goes on past the threads of others, so that where it ends says nothing of them.
    for (;;) {
      const found = await counters.ownedAfter(ctx, resourceId, at, limit + 1);
      for (const each of found) {
        if (!hasRoom(ctx, 1)) return { count, after: at };
        at = each.second;
        if (!(await threads.isSettled(at))) continue;
        if (counted === limit) return { count, after: last };
        [count, counted, last] = [count + each.count, counted + 1, at];
      }
      if (found.length <= limit) return { count, after: null };
    }
  },
});

const aroundFields = v.array(
  v.object({
    id: v.string(),
    previous: v.number(),
    next: v.number(),
    seen: v.optional(v.boolean()),
  }),
);

/**
 * Messages with as many of their threads' before and after them as asked for, each once.
 *
 * Only what belongs to `resourceId`; without it, only from threads with an owner in common with
 * `threadIds`. `seen` ones are not wanted themselves. What the call had no room for is `rest`: the
 * `around` of the next.
 */
export const listBeside = storageQuery({
  args: {
    around: aroundFields,
    resourceId: v.optional(v.string()),
    threadIds: v.optional(v.array(v.string())),
  },
  returns: v.object({ page: v.array(record(messageFields)), rest: aroundFields }),
  handler: (ctx, { around, ...scope }) => messagesBeside(ctx, around, scope),
});

/** Messages in the order in which they arrived, whoever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(messageFields),
  handler: (ctx, args) => {
    const threads = new Threads(ctx);
    return arrivalsOf(ctx, "messages", args, {
      keep: (message) => threads.isVisible(message.threadId),
      publish: (message) => threads.read(message),
    });
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
      found.push(await threads.read(message));
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
  requireOwner(ctx, message);
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
  await threads.requireOwnWord(before);
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

/** Throw UNAUTHENTICATED for a message that is to belong to somebody else. */
function requireOwner(ctx: Writer, message: { id: string; resourceId?: string }): void {
  if (message.resourceId === undefined || owns(ctx, message.resourceId)) return;
  throw unauthenticated(
    `message '${message.id}' cannot be given to resource '${message.resourceId}' with this ` +
      "token; use the resource's own id, or none",
  );
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
      requireOwner(ctx, { id, ...change });
      await threads.requireOwnWord(row);
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

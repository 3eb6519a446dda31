/**
 * Observational memory: what was observed in a thread, or of a resource, in generations.
 *
 * A record is one generation; the one with the highest count is the present one, those below it are
 * history. Observations that wait to become active are chunks, each a document of its own.
 */

import { v } from "convex/values";
import { type Reader, storageMutation, storageQuery } from "./lib/access.js";
import { load } from "./lib/chunks.js";
import { conflict, notFound } from "./lib/errors.js";
import * as lib from "./lib/observations.js";
import { pageOf } from "./lib/paging.js";
import { mergeDeep } from "./lib/payloads.js";
import * as records from "./lib/records.js";
import type { Row } from "./lib/tables.js";
import { chunkFields, observationalMemoryFields, payload, record, time } from "./validators.js";

const TABLE = "observationalMemory";
const subjectFields = { threadId: v.optional(v.string()), resourceId: v.string() };
const withChunks = v.object({
  ...observationalMemoryFields,
  bufferedObservationChunks: v.array(record(chunkFields)),
});

/** The present generation of a thread, or else of a resource; or null. */
export const get = storageQuery({
  args: subjectFields,
  returns: v.union(withChunks, v.null()),
  handler: async (ctx, args) => {
    const found = await lib.newest(ctx, args);
    if (!found || !(await lib.isVisible(ctx, found))) return null;
    return lib.withChunks(ctx, await records.read(ctx, found));
  },
});

/** A page of the generations of a thread, or else of a resource, newest first. */
export const list = storageQuery({
  args: { ...subjectFields, cursor: v.optional(v.string()), limit: v.number() },
  returns: v.object({ page: v.array(withChunks), cursor: v.union(v.string(), v.null()) }),
  handler: async (ctx, { threadId, resourceId, ...args }) => {
    const index = threadId === undefined ? "by_resource" : "by_thread";
    const values = threadId === undefined ? [undefined, resourceId] : [threadId];
    const look = {
      keep: (row: Row<typeof TABLE>) => lib.isVisible(ctx, row),
      publish: async (row: Row<typeof TABLE>) => lib.withChunks(ctx, await records.read(ctx, row)),
    };
    const found = await pageOf(ctx, TABLE, index, values, { ...args, order: "desc" }, look);
    return found as { page: any[]; cursor: string | null };
  },
});

/** Make the first generation; or give the present one, if somebody was faster. */
export const initialize = storageMutation({
  args: {
    ...subjectFields,
    id: v.string(),
    scope: v.union(v.literal("thread"), v.literal("resource")),
    config: payload(),
    observedTimezone: v.optional(v.string()),
  },
  returns: withChunks,
  handler: async (ctx, args) => {
    await lib.requireSubject(ctx, args);
    const found = await lib.newest(ctx, args);
    if (found) {
      await lib.requireVisible(ctx, found, args.id);
      return lib.withChunks(ctx, await records.read(ctx, found));
    }
    const first = lib.generation(ctx, { ...args, originType: "initial" }, 0);
    return lib.withChunks(ctx, await lib.addGeneration(ctx, first));
  },
});

/** Add a ready generation with its chunks. One that is there, and equal, is left alone. */
export const save = storageMutation({
  args: { record: withChunks },
  returns: v.null(),
  handler: async (ctx, args) => {
    const { bufferedObservationChunks: chunks, ...given } = args.record;
    await lib.requireSubject(ctx, given);
    const before = await records.byKey(ctx, TABLE, given.id);
    if (before) {
      await lib.requireVisible(ctx, before, given.id);
      if (records.equal(await records.read(ctx, before), given)) return null;
      throw conflict(`observational memory '${given.id}' is there already, and is another`, {
        table: TABLE,
        id: given.id,
      });
    }
    await records.insert(ctx, TABLE, given);
    for (const chunk of chunks) await lib.addChunk(ctx, given.id, chunk);
    return null;
  },
});

/** Set flags and counts; `config` is merged, maps in maps too. */
export const update = storageMutation({
  args: {
    id: v.string(),
    isReflecting: v.optional(v.boolean()),
    isObserving: v.optional(v.boolean()),
    isBufferingObservation: v.optional(v.boolean()),
    isBufferingReflection: v.optional(v.boolean()),
    lastBufferedAtTokens: v.optional(v.number()),
    pendingMessageTokens: v.optional(v.number()),
    config: v.optional(payload()),
  },
  returns: v.null(),
  handler: async (ctx, { config, ...args }) => {
    const before = await load(ctx, await existing(ctx, args.id));
    await records.patch(ctx, TABLE, before, {
      ...args,
      ...(config !== undefined && { config: mergeDeep(before.record.config, config) }),
      updatedAt: records.later(ctx, before.record),
    });
    return null;
  },
});

/** Replace the active observations; pending tokens have been observed with them. */
export const observe = storageMutation({
  args: {
    id: v.string(),
    observations: payload(),
    tokenCount: v.number(),
    lastObservedAt: time(),
    observedMessageIds: v.optional(payload()),
  },
  returns: v.null(),
  handler: async (ctx, { id, observations, tokenCount, ...fields }) => {
    const before = await load(ctx, await existing(ctx, id));
    await records.patch(ctx, TABLE, before, {
      ...fields,
      activeObservations: observations,
      observationTokenCount: tokenCount,
      totalTokensObserved: before.record.totalTokensObserved + tokenCount,
      pendingMessageTokens: 0,
      updatedAt: records.later(ctx, before.record),
    });
    return null;
  },
});

const { createdAt: _, ...newChunkFields } = chunkFields;

/** Add a chunk of observations, unless one of its cycle is there. */
export const buffer = storageMutation({
  args: {
    id: v.string(),
    chunk: v.object(newChunkFields),
    lastBufferedAtTime: v.optional(time()),
  },
  returns: v.null(),
  handler: async (ctx, { id, chunk, ...fields }) => {
    const row = await existing(ctx, id);
    if (!(await lib.addChunk(ctx, id, { ...chunk, createdAt: ctx.now }))) return null;
    const updatedAt = records.later(ctx, row);
    await records.patchRow(ctx, TABLE, row, { ...fields, updatedAt });
    return null;
  },
});

/**
 * Make the first chunks active, so many that about the retention floor is left; returns them.
 *
 * `weights` are the present numbers of tokens of chunks: only these are looked at, those of them
 * that still wait.
 */
export const activate = storageMutation({
  args: {
    id: v.string(),
    activationRatio: v.number(),
    messageTokensThreshold: v.number(),
    currentPendingTokens: v.number(),
    forceMaxActivation: v.optional(v.boolean()),
    lastObservedAt: v.optional(time()),
    weights: v.optional(v.array(v.object({ cycleId: v.string(), messageTokens: v.number() }))),
  },
  returns: v.array(record(chunkFields)),
  handler: async (ctx, { id, ...args }) => lib.activate(ctx, await existing(ctx, id), args),
});

/** Make the next generation, with a reflection as its observations. */
export const reflect = storageMutation({
  args: { id: v.string(), newId: v.string(), reflection: payload(), tokenCount: v.number() },
  returns: withChunks,
  handler: async (ctx, { id, ...args }) => {
    const before = await records.read(ctx, await existing(ctx, id));
    return lib.withChunks(ctx, await lib.nextGeneration(ctx, before, args));
  },
});

/** Put a reflection, after what is there of one, aside until it is activated. */
export const bufferReflection = storageMutation({
  args: {
    id: v.string(),
    reflection: payload(),
    tokenCount: v.number(),
    inputTokenCount: v.number(),
    reflectedObservationLineCount: v.number(),
  },
  returns: v.null(),
  handler: async (ctx, { id, reflection, tokenCount, inputTokenCount, ...fields }) => {
    const before = await load(ctx, await existing(ctx, id));
    const old = before.record;
    await records.patch(ctx, TABLE, before, {
      ...fields,
      bufferedReflection: lib.joined(old.bufferedReflection, reflection),
      bufferedReflectionTokens: (old.bufferedReflectionTokens ?? 0) + tokenCount,
      bufferedReflectionInputTokens: (old.bufferedReflectionInputTokens ?? 0) + inputTokenCount,
      updatedAt: records.later(ctx, old),
    });
    return null;
  },
});

/** Make the next generation of the reflection put aside and the lines observed since. */
export const activateReflection = storageMutation({
  args: { id: v.string(), newId: v.string(), tokenCount: v.number() },
  returns: withChunks,
  handler: async (ctx, { id, newId, tokenCount }) => {
    const before = await load(ctx, await existing(ctx, id));
    const old = await records.read(ctx, before.row);
    const reflection = lib.reflectionAndRest(old);
    const made = await lib.nextGeneration(ctx, old, { newId, tokenCount, reflection });
    await records.patch(ctx, TABLE, before, {
      bufferedReflection: undefined,
      bufferedReflectionTokens: undefined,
      bufferedReflectionInputTokens: undefined,
      reflectedObservationLineCount: undefined,
    });
    return lib.withChunks(ctx, made);
  },
});

/** Delete the generations of a thread, or else of a resource, oldest first; whether all. */
export const clear = storageMutation({
  args: subjectFields,
  returns: v.boolean(),
  handler: (ctx, args) => lib.removeAll(ctx, args),
});

async function existing(ctx: Reader, id: string): Promise<Row<typeof TABLE>> {
  const found = await records.byKey(ctx, TABLE, id);
  if (found && (await lib.isVisible(ctx, found))) return found;
  throw notFound(`there is no observational memory '${id}'; initialize it first`, {
    table: TABLE,
    id,
  });
}

/**
 * Channels: installations of agents on chat platforms, and what a platform needs as a whole.
 *
 * Both hold secrets: they are for the service alone.
 */

import { v } from "convex/values";
import { type Reader, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import type { Row } from "./lib/tables.js";
import {
  channelConfigFields,
  channelInstallationFields,
  listArgs,
  page,
  record,
  saved,
} from "./validators.js";

// Of several installations of an agent, the first of these is meant.
const STATUSES = ["active", "pending", "error"] as const;

const vInstallation = v.union(record(channelInstallationFields), v.null());

/** Save an installation by its id, replacing what was saved before. */
export const saveInstallation = storageMutation({
  args: { installation: saved(channelInstallationFields) },
  returns: record(channelInstallationFields),
  handler: async (ctx, { installation }) => {
    requireService(ctx, "saving a channel");
    const before = await records.byKey(ctx, "channelInstallations", installation.id);
    const given = before ? installation : { updatedAt: ctx.now, ...installation };
    return records.save(ctx, "channelInstallations", before, given);
  },
});

/** The installation, or null. */
export const getInstallation = storageQuery({
  args: { id: v.string() },
  returns: vInstallation,
  handler: async (ctx, { id }) => {
    requireService(ctx, "reading a channel");
    return readOrNull(ctx, await records.byKey(ctx, "channelInstallations", id));
  },
});

/** The agent's installation, or null: an active one, else one that is pending, else one. */
export const getInstallationByAgent = storageQuery({
  args: { platform: v.string(), agentId: v.string() },
  returns: vInstallation,
  handler: async (ctx, { platform, agentId }) => {
    requireService(ctx, "reading a channel");
    for (const status of STATUSES) {
      const found = await ctx.db
        .query("channelInstallations")
        .withIndex("by_agent", (q) =>
          q.eq("platform", platform).eq("agentId", agentId).eq("status", status),
        )
        .first();
      if (found) return records.read(ctx, found);
    }
    return null;
  },
});

/** The installation that a webhook belongs to, or null. */
export const getInstallationByWebhookId = storageQuery({
  args: { webhookId: v.string() },
  returns: vInstallation,
  handler: async (ctx, { webhookId }) => {
    requireService(ctx, "reading a channel");
    const found = await ctx.db
      .query("channelInstallations")
      .withIndex("by_webhook", (q) => q.eq("webhookId", webhookId))
      .first();
    return readOrNull(ctx, found);
  },
});

/** A page of a platform's installations by `createdAt`. */
export const listInstallations = storageQuery({
  args: { platform: v.string(), ...listArgs },
  returns: page(channelInstallationFields),
  handler: async (ctx, args) => {
    requireService(ctx, "listing channels");
    return pageOf(ctx, "channelInstallations", "by_platform", [args.platform], args);
  },
});

/** Delete an installation. A missing one is fine. */
export const removeInstallation = storageMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, { id }) => {
    requireService(ctx, "deleting a channel");
    const found = await records.byKey(ctx, "channelInstallations", id);
    if (found) await records.remove(ctx, "channelInstallations", found);
    return null;
  },
});

/** Save the configuration of a platform, which is its id, replacing what was saved before. */
export const saveConfig = storageMutation({
  args: { config: saved(channelConfigFields) },
  returns: record(channelConfigFields),
  handler: async (ctx, { config }) => {
    requireService(ctx, "saving a channel");
    const before = await records.byKey(ctx, "channelConfigs", config.id);
    const given = before ? config : { updatedAt: ctx.now, ...config };
    return records.save(ctx, "channelConfigs", before, given);
  },
});

/** The configuration of a platform, or null. */
export const getConfig = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(channelConfigFields), v.null()),
  handler: async (ctx, { id }) => {
    requireService(ctx, "reading a channel");
    return readOrNull(ctx, await records.byKey(ctx, "channelConfigs", id));
  },
});

/** Delete the configuration of a platform. A missing one is fine. */
export const removeConfig = storageMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, { id }) => {
    requireService(ctx, "deleting a channel");
    const found = await records.byKey(ctx, "channelConfigs", id);
    if (found) await records.remove(ctx, "channelConfigs", found);
    return null;
  },
});

async function readOrNull<R extends Row>(ctx: Reader, row: R | null) {
  return row && records.read(ctx, row);
}

/** The threads that one call touches: read once each, and written once at the end. */

import { owns, type Reader, type Writer } from "./access.js";
import * as records from "./records.js";
import type { Row } from "./tables.js";

type Thread = Row<"threads">;

export class Threads {
  private readonly found = new Map<string, Thread | null>();
  private readonly touched = new Set<string>();

  constructor(private readonly ctx: Reader) {}

  /** The thread with this call's changes, or null if there is none for the caller. */
  async get(threadId: string): Promise<Thread | null> {
    const thread = await this.find(threadId);
    return thread && owns(this.ctx, thread.resourceId) ? thread : null;
  }

  /** Whether the caller may see what is in the thread. */
  async isVisible(threadId: string): Promise<boolean> {
    return (await this.get(threadId)) !== null;
  }

  /** Whether there is such a thread, whoever it belongs to. */
  async exists(threadId: string): Promise<boolean> {
    return (await this.find(threadId)) !== null;
  }

  /** Count messages in or out and bump the thread; returns the newest `seq` afterwards. */
  async touch(threadId: string, added: number, updatedAt: number): Promise<number> {
    const thread = await this.get(threadId);
    if (!thread) return 0;
    const lastSeq = thread.lastSeq + Math.max(added, 0);
    this.touched.add(threadId);
    this.found.set(threadId, {
      ...thread,
      messageCount: thread.messageCount + added,
      lastSeq,
      updatedAt: Math.max(thread.updatedAt, updatedAt),
    });
    return lastSeq;
  }

  /** Patch the threads that were touched. */
  async write(ctx: Writer): Promise<void> {
    for (const threadId of this.touched) {
      const { _id, messageCount, lastSeq, updatedAt } = this.found.get(threadId)!;
      await ctx.db.patch(_id, { messageCount, lastSeq, updatedAt });
    }
  }

  private async find(threadId: string): Promise<Thread | null> {
    let thread = this.found.get(threadId);
    if (thread === undefined) {
      thread = await records.byKey(this.ctx, "threads", threadId);
      this.found.set(threadId, thread);
    }
    return thread;
  }
}

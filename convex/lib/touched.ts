/** The threads that one call touches: read once each, and written once at the end. */

import { owns, type Reader, type Writer } from "./access.js";
import { requireSettled } from "./ownership.js";
import * as records from "./records.js";
import type { Public, Row } from "./tables.js";

type Thread = Row<"threads">;
type Message = Row<"messages">;

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

  /** As `isVisible`, and no change of owner is under way: what messages say of theirs is so. */
  async isSettled(threadId: string): Promise<boolean> {
    const thread = await this.get(threadId);
    return thread !== null && thread.takenOver === undefined;
  }

  /** Who a message belongs to: the thread's owner, if that took it over (lib/ownership.ts). */
  async ownerOf(message: Message): Promise<string | undefined> {
    const thread = await this.find(message.threadId);
    const takenOver = thread?.takenOver !== undefined && message.seq <= thread.takenOver;
    return takenOver ? thread.resourceId : message.resourceId;
  }

  /** Throw CONFLICT for a message that is being taken over. */
  async requireOwnWord(message: Message): Promise<void> {
    const thread = await this.find(message.threadId);
    if (thread && message.seq <= (thread.takenOver ?? -1)) requireSettled(thread);
  }

  /** The record of a message, with all its text. */
  async read(message: Message): Promise<Public<"messages">> {
    const { resourceId: _, ...record } = await records.read(this.ctx, message);
    const owner = await this.ownerOf(message);
    return owner === undefined ? record : { ...record, resourceId: owner };
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

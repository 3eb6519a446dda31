/**
 * Merging into the snapshot of a workflow run, as the workflow engine relies on it.
 *
 * A snapshot is JSON text, and is cut and joined as such (lib/payloads.ts). A run that has none
 * begins with an empty one.
 */

import { conflict, invalidArgument } from "./errors.js";
import { elements, joined, laidOver, type Members, members, textOf } from "./payloads.js";

// What stands in the output of a `foreach` for an iteration that is to run again.
const PENDING = "__mastra_pending__";

interface Run {
  id: string;
  workflowName: string;
  state: string;
}

/** The snapshot of `run` with a step's result merged in, and its `context` alone. */
export function withStepResult(run: Run, stepId: string, result: string, requestContext: string) {
  const { snapshot, context } = snapshotOf(run);
  const merged = mergedResult(context.get(stepId)?.value, result);
  put(context, stepId, merged);
  const asked = members(requestContext);
  if (!asked) throw invalidArgument("a request context is a map", { path: "requestContext" });
  const before = members(snapshot.get("requestContext")?.value ?? "{}") ?? new Map();
  const told = joined(context);
  put(snapshot, "context", told);
  put(snapshot, "requestContext", joined(laidOver(before, asked)));
  return { state: joined(snapshot), context: told };
}

/** The snapshot of `run` with `state` laid over it; null if its status is not expected. */
export function withState(run: Run, state: string, expected?: string[]): string | null {
  const { snapshot } = snapshotOf(run);
  const status = textOf(snapshot.get("status")?.value);
  if (expected && (status === null || !expected.includes(status))) return null;
  const change = members(state);
  if (!change) throw invalidArgument("the state of a run is a map", { path: "state" });
  return joined(laidOver(snapshot, change));
}

/** The status in a snapshot or a state, as the field that a run has for it. */
export function statusOf(text: string): { stateType?: string } {
  const status = textOf(members(text)?.get("status")?.value);
  return status === null ? {} : { stateType: status };
}

/** The snapshot of a run that has not begun. */
export function emptySnapshot(runId: string, timestamp: number): string {
  return JSON.stringify({
    context: {},
    activePaths: [],
    activeStepsPath: {},
    timestamp,
    suspendedPaths: {},
    resumeLabels: {},
    serializedStepGraph: [],
    value: {},
    waitingPaths: {},
    status: "pending",
    runId,
  });
}

function snapshotOf(run: Run): { snapshot: Members; context: Members } {
  const snapshot = members(run.state);
  const context = members(snapshot?.get("context")?.value ?? "");
  if (!snapshot || !context) {
    throw conflict(
      `the snapshot of run '${run.id}' of workflow '${run.workflowName}' has no context to merge ` +
        "into; persist a snapshot of Mastra's first",
      { table: "workflowRuns", id: run.id },
    );
  }
  return { snapshot, context };
}

function put(all: Members, key: string, value: string): void {
  all.set(key, { name: all.get(key)?.name ?? JSON.stringify(key), value });
}

/** A step's result after another: slots of a `foreach` are merged, all else is replaced. */
function mergedResult(before: string | undefined, result: string): string {
  const old = members(before ?? "");
  const fresh = members(result);
  const had = elements(old?.get("output")?.value ?? "");
  const given = elements(fresh?.get("output")?.value ?? "");
  if (!old || !fresh || !had || !given) return result;
  const pending = given.some(isPending);
  const slots = Array.from({ length: Math.max(had.length, given.length) }, (_, at) => {
    const kept = had[at] ?? "null";
    const slot = given[at] ?? "null";
    if (isPending(slot)) return mayRunAgain(kept) ? "null" : kept;
    return slot === "null" || pending ? kept : slot;
  });
  const merged = pending ? old : laidOver(old, fresh);
  put(merged, "output", `[${slots.join(",")}]`);
  return joined(merged);
}

function isPending(slot: string): boolean {
  const marker = slot.startsWith("{") ? members(slot) : null;
  return marker?.size === 1 && marker.get(PENDING)?.value === "true";
}

/** Whether a slot is open: what has finished is never taken back. */
function mayRunAgain(slot: string): boolean {
  if (slot === "null" || isPending(slot)) return true;
  const found = slot.startsWith("{") ? members(slot) : null;
  const suspended = textOf(found?.get("status")?.value) === "suspended";
  return suspended && (found!.has("suspendPayload") || found!.has("suspendedAt"));
}

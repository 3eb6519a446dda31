/**
 * OTLP over HTTP: `/v1/traces` takes the spans of any program that has OpenTelemetry, in JSON.
 *
 * `http.ts` puts it there. It is for the service, whose token comes in the Authorization header.
 */

import type { HttpRouter } from "convex/server";
import { ConvexError, type Value } from "convex/values";
import { api } from "./_generated/api.js";
import { httpAction } from "./_generated/server.js";
import { read, type SavedSpan } from "./lib/otlp.js";
import { MalformedError } from "./lib/otlpValues.js";

// An action has 64 MB of memory, and JSON takes several times its text.
const MAX_BODY_BYTES = 4 * 1024 * 1024;
// Of one call of spans:save.
const MAX_SPANS = 100;
const MAX_CALL_CHARACTERS = 1024 * 1024;
const MAX_REASONS = 3;
const CODES: Record<number, number> = { 400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 503: 14 };

/** Take the spans of a request. */
export const traces = httpAction(async (ctx, request) => {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  if (type !== "application/json") {
    return refused(415, "spans are taken in JSON: set OTEL_EXPORTER_OTLP_PROTOCOL to http/json");
  }
  const identity = await ctx.auth.getUserIdentity();
  if (!identity) return refused(401, "the Authorization header has to name the service");
  if (identity.role !== "service") {
    return refused(403, "storing spans is for the service; a resource's token cannot");
  }
  let body: string | null;
  try {
    body = await bodyOf(request);
  } catch (error) {
    return refused(400, `the body cannot be read: ${(error as Error).message}`);
  }
  if (body === null) {
    return refused(413, `a body has ${MAX_BODY_BYTES} bytes at the most; send smaller batches`);
  }
  let found: ReturnType<typeof read>;
  try {
    found = read(body);
  } catch (error) {
    if (error instanceof MalformedError) return refused(400, error.message);
    throw error;
  }
  const { spans, rejected } = found;
  const save = (some: SavedSpan[]) => ctx.runMutation(api.spans.save, { spans: some });
  for (const call of calls(spans)) {
    // One that cannot be stored does not take the others along; if the store is in trouble, none is.
    const reasons = await failures(call, save);
    if (reasons === null) {
      return refused(503, "the spans could not be stored at present; send them again");
    }
    rejected.push(...reasons);
  }
  return answer(200, rejected.length ? { partialSuccess: partial(rejected) } : {});
});

/** Put the route into the router of an app that has one of its own. */
export function addOtlpRoutes(http: HttpRouter): void {
  http.route({ path: "/v1/traces", method: "POST", handler: traces });
}

/** Save spans together, or else each by itself; why some cannot be, or null if none can now. */
async function failures(
  spans: SavedSpan[],
  save: (some: SavedSpan[]) => Promise<unknown>,
): Promise<string[] | null> {
  try {
    await save(spans);
    return [];
  } catch (error) {
    if (!(error instanceof ConvexError)) return null;
    if (spans.length === 1) return [`span ${spans[0]!.spanId}: ${reasonOf(error)}`];
  }
  const reasons: string[] = [];
  for (const span of spans) {
    const own = await failures([span], save);
    if (own === null) return null;
    reasons.push(...own);
  }
  return reasons;
}

function reasonOf(error: ConvexError<Value>): string {
  const data = error.data as { message?: string } | null;
  return data?.message ?? error.message;
}

function partial(rejected: string[]) {
  const more = rejected.length - MAX_REASONS;
  const told = rejected.slice(0, MAX_REASONS);
  const errorMessage = [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  return { rejectedSpans: `${rejected.length}`, errorMessage };
}

/** The text of a body; null for one that is larger than one may be. Throws for what is no gzip. */
async function bodyOf(request: Request): Promise<string | null> {
  const packing = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  if (packing !== "identity" && packing !== "gzip") throw new Error(`${packing} is not gzip`);
  let stream = request.body;
  if (!stream) return "";
  if (packing === "gzip") {
    stream = stream.pipeThrough(new DecompressionStream("gzip") as never) as typeof stream;
  }
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = stream.getReader();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > MAX_BODY_BYTES) {
      await reader.cancel();
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
}

function* calls(spans: SavedSpan[]): Generator<SavedSpan[]> {
  let call: SavedSpan[] = [];
  let size = 0;
  for (const span of spans) {
    const own = Object.values(span).reduce<number>(
      (sum, value) => sum + (typeof value === "string" ? value.length : 8),
      0,
    );
    if (call.length && (call.length === MAX_SPANS || size + own > MAX_CALL_CHARACTERS)) {
      yield call;
      call = [];
      size = 0;
    }
    call.push(span);
    size += own;
  }
  if (call.length) yield call;
}

function refused(status: number, message: string): Response {
  return answer(status, { code: CODES[status]!, message });
}

function answer(status: number, body: object): Response {
  const headers = { "Content-Type": "application/json" };
  return new Response(JSON.stringify(body), { status, headers });
}

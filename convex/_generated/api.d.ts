/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import type * as backgroundTasks from "../backgroundTasks.js";
import type * as channels from "../channels.js";
import type * as evals from "../evals.js";
import type * as http from "../http.js";
import type * as lib_access from "../lib/access.js";
import type * as lib_batches from "../lib/batches.js";
import type * as lib_beside from "../lib/beside.js";
import type * as lib_cascade from "../lib/cascade.js";
import type * as lib_chunks from "../lib/chunks.js";
import type * as lib_clearing from "../lib/clearing.js";
import type * as lib_copying from "../lib/copying.js";
import type * as lib_counters from "../lib/counters.js";
import type * as lib_cursor from "../lib/cursor.js";
import type * as lib_errors from "../lib/errors.js";
import type * as lib_history from "../lib/history.js";
import type * as lib_load from "../lib/load.js";
import type * as lib_observations from "../lib/observations.js";
import type * as lib_otlp from "../lib/otlp.js";
import type * as lib_otlpConventions from "../lib/otlpConventions.js";
import type * as lib_otlpMeaning from "../lib/otlpMeaning.js";
import type * as lib_otlpTold from "../lib/otlpTold.js";
import type * as lib_otlpValues from "../lib/otlpValues.js";
import type * as lib_ownership from "../lib/ownership.js";
import type * as lib_pagination from "../lib/pagination.js";
import type * as lib_paging from "../lib/paging.js";
import type * as lib_payloads from "../lib/payloads.js";
import type * as lib_ranges from "../lib/ranges.js";
import type * as lib_records from "../lib/records.js";
import type * as lib_snapshots from "../lib/snapshots.js";
import type * as lib_spanRemoval from "../lib/spanRemoval.js";
import type * as lib_spans from "../lib/spans.js";
import type * as lib_steps from "../lib/steps.js";
import type * as lib_tables from "../lib/tables.js";
import type * as lib_tally from "../lib/tally.js";
import type * as lib_text from "../lib/text.js";
import type * as lib_totals from "../lib/totals.js";
import type * as lib_touched from "../lib/touched.js";
import type * as lib_version from "../lib/version.js";
import type * as messages from "../messages.js";
import type * as observationalMemory from "../observationalMemory.js";
import type * as otlp from "../otlp.js";
import type * as resources from "../resources.js";
import type * as schedules from "../schedules.js";
import type * as scores from "../scores.js";
import type * as spans from "../spans.js";
import type * as system from "../system.js";
import type * as threads from "../threads.js";
import type * as traces from "../traces.js";
import type * as validators from "../validators.js";
import type * as workflowRuns from "../workflowRuns.js";

/**
 * A utility for referencing Convex functions in your app's API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
declare const fullApi: ApiFromModules<{
  backgroundTasks: typeof backgroundTasks;
  channels: typeof channels;
  evals: typeof evals;
  http: typeof http;
  "lib/access": typeof lib_access;
  "lib/batches": typeof lib_batches;
  "lib/beside": typeof lib_beside;
  "lib/cascade": typeof lib_cascade;
  "lib/chunks": typeof lib_chunks;
  "lib/clearing": typeof lib_clearing;
  "lib/copying": typeof lib_copying;
  "lib/counters": typeof lib_counters;
  "lib/cursor": typeof lib_cursor;
  "lib/errors": typeof lib_errors;
  "lib/history": typeof lib_history;
  "lib/load": typeof lib_load;
  "lib/observations": typeof lib_observations;
  "lib/otlp": typeof lib_otlp;
  "lib/otlpConventions": typeof lib_otlpConventions;
  "lib/otlpMeaning": typeof lib_otlpMeaning;
  "lib/otlpTold": typeof lib_otlpTold;
  "lib/otlpValues": typeof lib_otlpValues;
  "lib/ownership": typeof lib_ownership;
  "lib/pagination": typeof lib_pagination;
  "lib/paging": typeof lib_paging;
  "lib/payloads": typeof lib_payloads;
  "lib/ranges": typeof lib_ranges;
  "lib/records": typeof lib_records;
  "lib/snapshots": typeof lib_snapshots;
  "lib/spanRemoval": typeof lib_spanRemoval;
  "lib/spans": typeof lib_spans;
  "lib/steps": typeof lib_steps;
  "lib/tables": typeof lib_tables;
  "lib/tally": typeof lib_tally;
  "lib/text": typeof lib_text;
  "lib/totals": typeof lib_totals;
  "lib/touched": typeof lib_touched;
  "lib/version": typeof lib_version;
  messages: typeof messages;
  observationalMemory: typeof observationalMemory;
  otlp: typeof otlp;
  resources: typeof resources;
  schedules: typeof schedules;
  scores: typeof scores;
  spans: typeof spans;
  system: typeof system;
  threads: typeof threads;
  traces: typeof traces;
  validators: typeof validators;
  workflowRuns: typeof workflowRuns;
}>;
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;

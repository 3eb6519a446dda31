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
import type * as discovery from "../discovery.js";
import type * as evals from "../evals.js";
import type * as feedback from "../feedback.js";
import type * as http from "../http.js";
import type * as lib_access from "../lib/access.js";
import type * as lib_batches from "../lib/batches.js";
import type * as lib_beside from "../lib/beside.js";
import type * as lib_cache from "../lib/cache.js";
import type * as lib_cascade from "../lib/cascade.js";
import type * as lib_checks from "../lib/checks.js";
import type * as lib_chunks from "../lib/chunks.js";
import type * as lib_clearing from "../lib/clearing.js";
import type * as lib_columns from "../lib/columns.js";
import type * as lib_copying from "../lib/copying.js";
import type * as lib_counters from "../lib/counters.js";
import type * as lib_cursor from "../lib/cursor.js";
import type * as lib_errors from "../lib/errors.js";
import type * as lib_facets from "../lib/facets.js";
import type * as lib_history from "../lib/history.js";
import type * as lib_listed from "../lib/listed.js";
import type * as lib_load from "../lib/load.js";
import type * as lib_merging from "../lib/merging.js";
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
import type * as lib_signals from "../lib/signals.js";
import type * as lib_snapshots from "../lib/snapshots.js";
import type * as lib_spanRemoval from "../lib/spanRemoval.js";
import type * as lib_spans from "../lib/spans.js";
import type * as lib_steps from "../lib/steps.js";
import type * as lib_tables from "../lib/tables.js";
import type * as lib_tally from "../lib/tally.js";
import type * as lib_text from "../lib/text.js";
import type * as lib_totals from "../lib/totals.js";
import type * as lib_touched from "../lib/touched.js";
import type * as lib_traceLists from "../lib/traceLists.js";
import type * as lib_version from "../lib/version.js";
import type * as logs from "../logs.js";
import type * as mastra_cache from "../mastra/cache.js";
import type * as mastra_jobs from "../mastra/jobs.js";
import type * as mastra_lists from "../mastra/lists.js";
import type * as mastra_memory from "../mastra/memory.js";
import type * as mastra_requests from "../mastra/requests.js";
import type * as mastra_storage from "../mastra/storage.js";
import type * as mastra_tables from "../mastra/tables.js";
import type * as messages from "../messages.js";
import type * as metrics from "../metrics.js";
import type * as observationalMemory from "../observationalMemory.js";
import type * as otlp from "../otlp.js";
import type * as resources from "../resources.js";
import type * as schedules from "../schedules.js";
import type * as scoreEvents from "../scoreEvents.js";
import type * as scores from "../scores.js";
import type * as spans from "../spans.js";
import type * as system from "../system.js";
import type * as threads from "../threads.js";
import type * as traces from "../traces.js";
import type * as validators from "../validators.js";
import type * as validatorsSignals from "../validatorsSignals.js";
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
  discovery: typeof discovery;
  evals: typeof evals;
  feedback: typeof feedback;
  http: typeof http;
  "lib/access": typeof lib_access;
  "lib/batches": typeof lib_batches;
  "lib/beside": typeof lib_beside;
  "lib/cache": typeof lib_cache;
  "lib/cascade": typeof lib_cascade;
  "lib/checks": typeof lib_checks;
  "lib/chunks": typeof lib_chunks;
  "lib/clearing": typeof lib_clearing;
  "lib/columns": typeof lib_columns;
  "lib/copying": typeof lib_copying;
  "lib/counters": typeof lib_counters;
  "lib/cursor": typeof lib_cursor;
  "lib/errors": typeof lib_errors;
  "lib/facets": typeof lib_facets;
  "lib/history": typeof lib_history;
  "lib/listed": typeof lib_listed;
  "lib/load": typeof lib_load;
  "lib/merging": typeof lib_merging;
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
  "lib/signals": typeof lib_signals;
  "lib/snapshots": typeof lib_snapshots;
  "lib/spanRemoval": typeof lib_spanRemoval;
  "lib/spans": typeof lib_spans;
  "lib/steps": typeof lib_steps;
  "lib/tables": typeof lib_tables;
  "lib/tally": typeof lib_tally;
  "lib/text": typeof lib_text;
  "lib/totals": typeof lib_totals;
  "lib/touched": typeof lib_touched;
  "lib/traceLists": typeof lib_traceLists;
  "lib/version": typeof lib_version;
  logs: typeof logs;
  "mastra/cache": typeof mastra_cache;
  "mastra/jobs": typeof mastra_jobs;
  "mastra/lists": typeof mastra_lists;
  "mastra/memory": typeof mastra_memory;
  "mastra/requests": typeof mastra_requests;
  "mastra/storage": typeof mastra_storage;
  "mastra/tables": typeof mastra_tables;
  messages: typeof messages;
  metrics: typeof metrics;
  observationalMemory: typeof observationalMemory;
  otlp: typeof otlp;
  resources: typeof resources;
  schedules: typeof schedules;
  scoreEvents: typeof scoreEvents;
  scores: typeof scores;
  spans: typeof spans;
  system: typeof system;
  threads: typeof threads;
  traces: typeof traces;
  validators: typeof validators;
  validatorsSignals: typeof validatorsSignals;
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

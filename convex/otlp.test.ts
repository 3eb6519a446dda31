/** OTLP in JSON: the mapping's cases, which the Python side is held against too, and the route. */

import { convexTest } from "convex-test";
import { expect, test } from "vitest";
import given from "../scenarios/otlp/mapping.json";
import { read } from "./lib/otlp.js";
import { previewOf } from "./lib/otlpPreview.js";
import { MalformedError } from "./lib/otlpValues.js";
import schema from "./schema.js";

type Json = Record<string, any>;
const CASES = given.cases as Json[];
const SPAN: Json = given.span;
const PAYLOADS = ["input", "output", "error", "attributes", "metadata", "links", "tags"];

function anyValue(value: unknown): Json {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    return Number.isInteger(value) ? { intValue: `${value}` } : { doubleValue: value };
  }
  if (typeof value === "string") return { stringValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: attributes(value as Json) } };
}

const attributes = (of: Json = {}) =>
  Object.entries(of).map(([key, value]) => ({ key, value: anyValue(value) }));

const requestOf = (spans: unknown[], resource?: Json, scope?: Json) =>
  JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributes(resource) },
        scopeSpans: [{ scope: scope ?? {}, spans }],
      },
    ],
  });

/** A document with its payloads decoded, and what is in `extra` beside the others. */
function shown(document: Json): Json {
  const { extra, ...rest } = document;
  const decoded = Object.entries(rest).map(([name, value]) => [
    name,
    PAYLOADS.includes(name) ? JSON.parse(value) : value,
  ]);
  return { ...Object.fromEntries(decoded), ...JSON.parse(extra) };
}

test.each(CASES.map((each) => [each.name as string, each] as const))("%s", (_, case_) => {
  const span = { ...SPAN, attributes: attributes(case_.attributes), ...case_.span };
  const { spans, rejected } = read(requestOf([span], case_.resource, case_.scope));
  if (case_.rejected) {
    expect(spans).toEqual([]);
    expect(rejected).toEqual([expect.stringContaining(case_.rejected)]);
    return;
  }
  expect(rejected).toEqual([]);
  const found = shown(spans[0]!);
  const raw = case_.raw ?? case_.attributes ?? {};
  const gives = { ...case_.gives };
  if (gives.attributes) gives.attributes = { ...gives.attributes, ...raw };
  for (const [name, value] of Object.entries(gives)) expect(found[name] ?? {}).toEqual(value);
  expect(found.attributes ?? {}).toMatchObject(raw);
  for (const name of case_.lacks ?? []) expect(found).not.toHaveProperty(name);
  expect(found.otel.warnings ?? []).toEqual(case_.warnings ?? []);
});

test("integers of 64 bits and JSON inside text stay exact", () => {
  const span = {
    ...SPAN,
    attributes: [
      { key: "big", value: { intValue: "9007199254740993" } },
      { key: "input.value", value: { stringValue: '{"n": 9007199254740993}' } },
      { key: "mastra.metadata.n", value: { stringValue: "[9007199254740993]" } },
      { key: "metadata", value: { stringValue: '{"m": 9007199254740993}' } },
    ],
  };
  const [found] = read(requestOf([span])).spans;
  expect(found!.attributes).toContain('"big":9007199254740993');
  expect(found!.input).toBe('{"n": 9007199254740993}');
  expect(found!.metadata).toBe('{"m":9007199254740993,"n":[9007199254740993]}');
});

// As tests/test_preview.py has them.
const USER = { role: "user", content: "Where to?" };
const PARTS = {
  role: "user",
  content: [{ type: "text", text: "a" }, { type: "image" }, "b", { type: "text", text: 5 }],
};
const GEN_AI = {
  role: "user",
  parts: [{ type: "text", content: "c" }, { type: "blob", content: "d" }, { type: "text" }],
};
test.each<[unknown, string | undefined]>([
  [null, undefined],
  ["", undefined],
  ["  \n", undefined],
  [" Hello ", " Hello "],
  ["x".repeat(100), "x".repeat(100)],
  ["😀".repeat(101), `${"😀".repeat(100)}…`],
  [5, "5"],
  [true, "true"],
  [{ q: "é" }, '{"q":"é"}'],
  [{ messages: 5 }, '{"messages":5}'],
  [[USER, { role: "assistant", content: "Rome" }, PARTS, 7], "Where to? | a b"],
  [[GEN_AI, { ...USER, parts: GEN_AI.parts }], "c | Where to?"],
  [{ messages: [USER] }, "Where to?"],
  [JSON.stringify([USER]), "Where to?"],
  [JSON.stringify("quoted"), "quoted"],
  ['"not closed', '"not closed'],
  ["{not json", undefined],
  [[], undefined],
  [{}, "{}"],
])("a preview of %j", (value, shown) => {
  expect(previewOf(JSON.stringify(value))).toBe(shown);
});

test("a span has the preview of its input", () => {
  const input = attributes({ "input.value": JSON.stringify({ messages: [USER] }) });
  const [found] = read(requestOf([{ ...SPAN, attributes: input }])).spans;
  expect(found!.inputPreview).toBe("Where to?");
});

test.each(["", "{", "[]", "7", '{"resourceSpans": 7}', '{"resourceSpans": [7]}'])(
  "%s is no request",
  (body) => {
    expect(() => read(body)).toThrow(MalformedError);
  },
);

test("a broken span takes no other along, and a broken resource its own spans", () => {
  const broken = [7, { ...SPAN, traceId: "xyz" }, { ...SPAN, attributes: [7] }];
  const { spans, rejected } = read(requestOf([SPAN, ...broken, SPAN]));
  expect(spans).toHaveLength(2);
  expect(rejected.map((reason) => reason.slice(0, 7))).toEqual(["span 2:", "span 3:", "span 4:"]);
  const bad = { resource: { attributes: 7 }, scopeSpans: [{ spans: [SPAN] }] };
  expect(read(JSON.stringify({ resourceSpans: [bad] })).rejected).toHaveLength(1);
});

const modules = import.meta.glob(["./**/*.ts", "./_generated/*.js", "!./**/*.*.ts"]);

function deployment(identity: Json | null = { subject: "service", role: "service" }) {
  const made = convexTest({ schema, modules });
  const asked = identity ? made.withIdentity(identity) : made;
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    asked.fetch("/v1/traces", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
  const count = () => made.run(async (ctx) => (await ctx.db.query("spans").collect()).length);
  return { post, count };
}

test("the route stores spans, tells which it has not, and may be sent the same again", async () => {
  const { post, count } = deployment();
  const spans = Array.from({ length: 150 }, (_, n) => ({
    ...SPAN,
    spanId: (n + 1).toString(16).padStart(16, "0"),
  }));
  const body = requestOf([...spans, { ...SPAN, spanId: "" }]);
  for (let round = 0; round < 2; round += 1) {
    const answer = await post(body);
    expect(answer.status).toBe(200);
    const { partialSuccess } = await answer.json();
    expect(partialSuccess.rejectedSpans).toBe("1");
    expect(partialSuccess.errorMessage).toContain("span 151: its span id");
    expect(await count()).toBe(150);
  }
  expect(await (await post(requestOf([SPAN]))).json()).toEqual({});
});

test("gzip is unpacked, up to a bound", async () => {
  const pack = (text: string) =>
    new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
  const { post, count } = deployment();
  const gzip = { "content-encoding": "gzip" };
  expect((await post(await pack(requestOf([SPAN])), gzip)).status).toBe(200);
  expect(await count()).toBe(1);
  expect((await post(await pack(" ".repeat(5 * 1024 * 1024)), gzip)).status).toBe(413);
  expect((await post("no gzip", gzip)).status).toBe(400);
});

test.each([
  ["nobody", null, {}, 401],
  ["a resource", { subject: "alice", role: "resource" }, {}, 403],
  ["protobuf", undefined, { "content-type": "application/x-protobuf" }, 415],
  ["another packing", undefined, { "content-encoding": "br" }, 400],
] as const)("%s is refused", async (_, identity, headers, status) => {
  const { post, count } = deployment(identity);
  const answer = await post(requestOf([SPAN]), headers);
  expect(answer.status).toBe(status);
  expect((await answer.json()).message).not.toBe("");
  expect(await count()).toBe(0);
});

test("what is no request is refused", async () => {
  const { post } = deployment();
  const answer = await post("{");
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ code: 3, message: expect.stringContaining("no JSON") });
});

// Programs of OpenTelemetry for Node.js and of Mastra, that send what they do to a server; they
// print it too. Arguments: which program, the address of /v1/traces, the token.
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as Json } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Protobuf } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";

const [, , program, url, token] = process.argv;
const headers = { Authorization: `Bearer ${token}` };

async function node(Exporter, compression) {
  const memory = new InMemorySpanExporter();
  const spanProcessors = [memory, new Exporter({ url, headers, compression })].map(
    (exporter) => new SimpleSpanProcessor(exporter),
  );
  const provider = new NodeTracerProvider({ spanProcessors });
  const tracer = provider.getTracer("node", "1");
  const agent = tracer.startSpan("invoke_agent travel", {
    kind: SpanKind.SERVER,
    attributes: {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": "travel",
      list: ["a", "b"],
      half: 0.5,
      yes: true,
    },
  });
  const below = trace.setSpan(context.active(), agent);
  const tool = tracer.startSpan(
    "weather",
    { links: [{ context: agent.spanContext(), attributes: { why: "asked" } }] },
    below,
  );
  tool.addEvent("looked up", { city: "Oslo ☃" });
  tool.recordException(new TypeError("no city"));
  tool.setStatus({ code: SpanStatusCode.ERROR, message: "no city" });
  tool.end();
  agent.setStatus({ code: SpanStatusCode.OK });
  agent.end();
  await provider.forceFlush();
  const nanoseconds = ([seconds, rest]) => `${BigInt(seconds) * 1_000_000_000n + BigInt(rest)}`;
  const done = memory.getFinishedSpans().map((span) => ({
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    name: span.name,
    kind: span.kind,
    start: nanoseconds(span.startTime),
    end: nanoseconds(span.endTime),
    status: span.status,
    attributes: span.attributes,
    events: span.events.map((event) => ({
      name: event.name,
      time: nanoseconds(event.time),
      attributes: event.attributes,
    })),
    links: span.links.map((link) => ({ spanId: link.context.spanId, attributes: link.attributes })),
    resource: span.resource.attributes,
  }));
  await provider.shutdown();
  return done;
}

async function mastra() {
  const { Observability } = await import("@mastra/observability");
  const { OtelExporter } = await import("@mastra/otel-exporter");
  const exporter = new OtelExporter({
    provider: { custom: { endpoint: url, protocol: "http/protobuf", headers } },
    timeout: 10_000,
  });
  const observability = new Observability({
    configs: { default: { serviceName: "mastra", exporters: [exporter] } },
  });
  const instance = observability.getDefaultInstance();
  const agent = instance.startSpan({
    type: "agent_run",
    name: "agent run: travel",
    entityType: "agent",
    entityId: "travel",
    entityName: "Travel",
    input: { messages: [{ role: "user", content: "Where to?" }] },
    metadata: { threadId: "t1", resourceId: "r1", runId: "run-1", plan: { kind: "pro" } },
    tags: ["one"],
  });
  const model = agent.createChildSpan({
    type: "model_generation",
    name: "llm: gpt-4",
    input: { messages: [{ role: "user", content: "Where to?" }] },
    attributes: { model: "gpt-4", provider: "openai" },
  });
  model.end({
    output: { text: "To Oslo." },
    attributes: { usage: { inputTokens: 11, outputTokens: 7 }, finishReason: "stop" },
  });
  const tool = agent.createChildSpan({
    type: "tool_call",
    name: "tool: weather",
    entityType: "tool",
    entityId: "weather",
    entityName: "weather",
    input: { city: "Oslo" },
  });
  tool.error({ error: new Error("no city"), endSpan: true });
  agent.end({ output: { text: "done" } });
  await observability.shutdown();
  return [agent, model, tool].map(({ id, traceId, name, type }) => ({ id, traceId, name, type }));
}

const programs = {
  json: () => node(Json, "none"),
  protobuf: () => node(Protobuf, "gzip"),
  mastra,
};
console.log(JSON.stringify(await programs[program]()));

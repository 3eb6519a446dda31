// A Mastra app on our store, in the hands of a test: node mastra.mjs URL ADMIN_KEY
//
// Its model is a script. A command is a line of JSON with a number; so is its answer, {n, value} or
// {n, error, data}.
import { createInterface } from "node:readline";
import { Agent } from "@mastra/core/agent";
import { createScorer } from "@mastra/core/evals";
import { Mastra } from "@mastra/core/mastra";
import { createTool } from "@mastra/core/tools";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { ConvexServerCache, ConvexStore } from "@mastra/convex";
import { Memory } from "@mastra/memory";
import { z } from "zod";

const [deploymentUrl, adminAuthToken] = process.argv.slice(2);
const storage = new ConvexStore({ id: "app", deploymentUrl, adminAuthToken });
const cache = new ConvexServerCache({ deploymentUrl, adminAuthToken });

/** What the model says next, and all that it was told. */
const script = [];
const told = [];
const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
const model = {
  specificationVersion: "v2",
  provider: "script",
  modelId: "script",
  supportedUrls: {},
  async doGenerate({ prompt }) {
    told.push(prompt);
    const content = script.shift();
    const isCall = content.some(({ type }) => type === "tool-call");
    return { content, finishReason: isCall ? "tool-calls" : "stop", usage, warnings: [] };
  },
};

const weather = createTool({
  id: "weather",
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, degrees: 21 }),
});
const brevity = createScorer({ id: "brevity", description: "How short" }).generateScore(() => 0.75);
const agent = new Agent({
  id: "guide",
  name: "guide",
  instructions: "Help.",
  model,
  tools: { weather },
  memory: new Memory({
    options: { lastMessages: 20, workingMemory: { enabled: true, scope: "resource" } },
  }),
  scorers: { brevity: { scorer: brevity, sampling: { type: "ratio", rate: 1 } } },
});

const approve = createStep({
  id: "approve",
  inputSchema: z.object({ price: z.number() }),
  outputSchema: z.object({ paid: z.number() }),
  suspendSchema: z.object({ price: z.number() }),
  resumeSchema: z.object({ yes: z.boolean() }),
  execute: async ({ inputData, resumeData, suspend }) =>
    resumeData?.yes ? { paid: inputData.price } : suspend({ price: inputData.price }),
});
const booking = createWorkflow({
  id: "booking",
  inputSchema: z.object({ price: z.number() }),
  outputSchema: z.object({ paid: z.number() }),
})
  .then(approve)
  .commit();

const mastra = new Mastra({
  agents: { guide: agent },
  workflows: { booking },
  scorers: { brevity },
  storage,
  logger: false,
});

const commands = {
  /** Say something to the agent, whose model then gives these replies. */
  async say({ text, replies, thread, resource }) {
    script.push(...replies);
    const reply = await mastra.getAgentById("guide").generate(text, { memory: { thread, resource } });
    return { text: reply.text, told: told.at(-1) };
  },
  async start({ runId, resourceId, inputData }) {
    const run = await mastra.getWorkflow("booking").createRun({ runId, resourceId });
    return (await run.start({ inputData })).status;
  },
  async resume({ runId, resumeData }) {
    const run = await mastra.getWorkflow("booking").createRun({ runId });
    return (await run.resume({ step: "approve", resumeData })).result;
  },
  /** Call a method of a domain of the store; dates come as texts. */
  async store({ domain, method, args }) {
    return (await storage.getStore(domain))[method](...args);
  },
  cache: ({ method, args }) => cache[method](...args),
};

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit());
lines.on("line", async (line) => {
  const { n, what, ...rest } = JSON.parse(line);
  let reply;
  try {
    reply = { n, value: (await commands[what](rest)) ?? null };
  } catch (error) {
    reply = { n, error: String(error), data: error.details ?? null };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
});

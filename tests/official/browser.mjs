// The React page in a headless Chromium, in the hands of a test: node browser.mjs CHROMIUM
//
// Takes commands and answers them as client.mjs does. The first answer, of number 0, is the origin
// that the page comes from.
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, "page.jsx")],
  bundle: true,
  write: false,
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
});
const html = `<!doctype html><meta charset="utf-8"><title>Chat</title><link rel="icon" href="data:,">
<div id="root"></div><script src="/page.js"></script>`;

const server = createServer(({ url }, response) => {
  const isScript = url === "/page.js";
  response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
  response.end(isScript ? outputFiles[0].text : html);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

// Chromium refuses to run as root with a sandbox; it opens no page but this one.
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
// What the page has sent over its sockets, as texts.
let sent;
let page;

const commands = {
  // For a deployment and a token, or null.
  open: async ({ url, token }) => {
    await page?.close();
    page = await browser.newPage({ viewport: { width: 480, height: 560 } });
    sent = [];
    page.on("websocket", (socket) =>
      socket.on("framesent", ({ payload }) => sent.push(payload.toString())),
    );
    await page.addInitScript((settings) => (window.settings = settings), { url, token });
    await page.goto(origin);
  },
  texts: ({ selector }) => page.locator(selector).allTextContents(),
  click: ({ selector }) => page.locator(selector).click(),
  write: async ({ selector, text }) => {
    await page.locator(selector).fill(text);
    await page.locator(selector).press("Enter");
  },
  picture: async ({ path }) => {
    await page.screenshot({ path, fullPage: true });
  },
  sent: () => sent,
};

const tell = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);
tell({ n: 0, value: origin });

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { n, what, ...rest } = JSON.parse(line);
  try {
    tell({ n, value: (await commands[what](rest)) ?? null });
  } catch (error) {
    tell({ n, error: String(error), data: null });
  }
});
lines.on("close", async () => {
  await browser.close();
  process.exit();
});

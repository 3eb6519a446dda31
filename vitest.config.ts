import { defineConfig, type Plugin } from "vitest/config";

/** Export the database of convex-test, for convex/lib/harnessDatabase.test-util.ts. */
const database: Plugin = {
  name: "database-of-convex-test",
  transform(code, id) {
    if (id.endsWith("/convex-test/dist/index.js")) return `${code}\nexport { DatabaseFake };\n`;
  },
};

export default defineConfig({
  plugins: [database],
  test: {
    environment: "edge-runtime",
    include: ["convex/**/*.test.ts"],
    testTimeout: 120_000,
    // What the files share are modules without a state that a test could leave behind.
    isolate: false,
    server: { deps: { inline: ["convex-test"] } },
  },
});

// Serves the functions of a project, under convex-test: node deployment.mjs PROJECT
//
// What deploying does is done here with esbuild, and the tokens are checked with Node's own
// cryptography against the project's auth.config.ts. Prints the port.

import { createPublicKey, verify } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const GENERATED = {
  "server.js": `import * as server from "convex/server";
export const query = server.queryGeneric;
export const mutation = server.mutationGeneric;
export const httpAction = server.httpActionGeneric;
export const internalQuery = server.internalQueryGeneric;
export const internalMutation = server.internalMutationGeneric;
`,
  "api.js": `import { anyApi } from "convex/server";
export const api = anyApi;
export const internal = anyApi;
`,
};

const convex = resolve(process.argv[2], "convex");
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const { schema, providers, modules, convexTest, makeFunctionReference } = await load();
const backend = convexTest({ schema, modules, transactionLimits: true });

async function load() {
  await mkdir(join(convex, "_generated"), { recursive: true });
  for (const [name, text] of Object.entries(GENERATED)) {
    await writeFile(join(convex, "_generated", name), text);
  }
  const files = await readdir(convex, { recursive: true });
  const deployed = files.filter((file) => /^[^.]*\.[jt]s$/.test(file));
  const entry = `
    export { default as schema } from "./schema";
    import auth from "./auth.config";
    export const { providers } = auth;
    export { convexTest } from "convex-test";
    export { makeFunctionReference } from "convex/server";
    export const modules = {
      ${deployed.map((file) => `"./${file}": () => import("./${file}"),`).join("\n")}
    };`;
  const outfile = join(convex, "..", "deployed.mjs");
  await build({
    stdin: { contents: entry, resolveDir: convex },
    nodePaths: [join(root, "node_modules")],
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "error",
    outfile,
  });
  return import(pathToFileURL(outfile).href);
}

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The claims of a token, if one of the providers takes it. */
function claimsOf(token) {
  const [head, payload, signature] = token.split(".");
  const decoded = (part) => JSON.parse(Buffer.from(part, "base64url").toString());
  const { kid, alg } = decoded(head);
  const claims = decoded(payload);
  const provider = providers.find((p) => p.issuer === claims.iss && p.applicationID === claims.aud);
  if (!provider) throw new Refused("NoAuthProvider", "No auth provider found matching the token");
  const { keys } = JSON.parse(Buffer.from(provider.jwks.split("base64,")[1], "base64").toString());
  const jwk = keys.find((key) => key.kid === kid);
  const key = jwk && createPublicKey({ key: jwk, format: "jwk" });
  const raw = Buffer.from(signature, "base64url");
  const signed = Buffer.from(`${head}.${payload}`);
  if (
    !key ||
    alg !== provider.algorithm ||
    !verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, raw)
  ) {
    throw new Refused("InvalidAuthHeader", "Could not decode token. The JWT's 'kid' ...");
  }
  const now = Date.now() / 1000;
  if (claims.exp < now - 5 || claims.iat > now + 5) {
    throw new Refused("InvalidAuthHeader", "Could not validate token: its times are wrong");
  }
  return claims;
}

async function answer(path, args, token) {
  const { sub, iss, ...claims } = token ? claimsOf(token) : {};
  const caller = token ? backend.withIdentity({ ...claims, subject: sub, issuer: iss }) : backend;
  try {
    const value = await caller.query(makeFunctionReference(path), args);
    return { status: "success", value, logLines: [] };
  } catch (error) {
    const errorMessage = `[Request ID: 0] Server Error\nUncaught ${error}`;
    if (error.data !== undefined) return { status: "error", errorMessage, errorData: error.data };
    const missing = /Could not find module/.test(error.message);
    return {
      status: "error",
      errorMessage: missing ? `Could not find public function for '${path}'.` : errorMessage,
    };
  }
}

const server = createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  const { path, args } = JSON.parse(text);
  const token = request.headers.authorization?.replace(/^Bearer /, "");
  try {
    response.end(JSON.stringify(await answer(path, args, token)));
  } catch (error) {
    response.statusCode = error instanceof Refused ? 401 : 500;
    response.end(
      JSON.stringify({ code: error.code ?? "InternalServerError", message: error.message }),
    );
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

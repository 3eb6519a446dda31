/** What is reached over HTTP at the deployment's own site. */

import { httpRouter } from "convex/server";
import { addOtlpRoutes } from "./otlp.js";

const http = httpRouter();
addOtlpRoutes(http);

export default http;

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import {
	controlPath,
	manifestsPath,
	scrubPath,
	toProblem,
	unnamedObjectsPath,
	visitPath,
	visitsPath,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { sql } from "kysely";
import { problemResponse } from "../api/problems.ts";
import { clientAddress, clientAddressHeader } from "../auth/client-address.ts";
import { type Control, refuseUpgrade } from "../control/control.ts";
import type { VisitPage } from "../locals.ts";
import type { Database } from "../store/database.ts";
import { commonHeaders } from "./security-headers.ts";
import type { AnswerVisit } from "./visits.ts";

export interface HttpParts {
	readonly api: { fetch(request: Request): Response | Promise<Response> };
	readonly pages: (request: IncomingMessage, response: ServerResponse, visit?: VisitPage | null) => Promise<void>;
	readonly visits: AnswerVisit;
	readonly metrics: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
	/** Questions of nodes, by path. */
	readonly nodeQuestions: {
		readonly [Path in typeof visitsPath | typeof manifestsPath | typeof unnamedObjectsPath | typeof scrubPath]: (
			request: IncomingMessage,
			response: ServerResponse,
		) => Promise<void>;
	};
	readonly control: Control;
	readonly database: Database;
	readonly siteUrl: string;
	readonly log: Logger;
}

/** The one server of the site: health, API, pages, and the nodes' control sockets. */
export function createHttpServer(parts: HttpParts): Server {
	const { log } = parts;
	const headers = Object.entries(commonHeaders(parts.siteUrl));
	const answerApi = getRequestListener((request) => parts.api.fetch(request));

	async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		for (const [name, value] of headers) response.setHeader(name, value);
		setClientAddress(request);
		const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
		if (path === "/healthz") return answerHealth(parts.database, response);
		if (path === "/metrics" && (await parts.metrics(request, response))) return;
		if (path === visitsPath || path === manifestsPath || path === unnamedObjectsPath || path === scrubPath) {
			return parts.nodeQuestions[path](request, response);
		}
		if (path === "/api" || path.startsWith("/api/")) return answerApi(request, response);
		if (path === visitPath && request.method === "GET") {
			const visit = await parts.visits(request, response);
			return visit && parts.pages(request, response, visit);
		}
		return parts.pages(request, response);
	}

	const server = createServer((request, response) => {
		answer(request, response).catch((error: unknown) => {
			// Without the query, which may carry a one-time link's token.
			const path = (request.url ?? "/").split("?", 1)[0];
			log.error({ err: error, method: request.method, path }, "request failed");
			if (response.headersSent) return response.destroy();
			void sendProblem(response, error);
		});
	});
	server.on("upgrade", (request, socket, head) => {
		const path = (request.url ?? "/").split("?", 1)[0];
		if (path === controlPath) parts.control.upgrade(request, socket, head);
		else refuseUpgrade(socket, "404 Not Found", "No socket is served at this address.");
	});
	return server;
}

/** Says in a header of ours where the request comes from, in place of whatever the client wrote there. */
function setClientAddress(request: IncomingMessage): void {
	const address = clientAddress(request);
	delete request.headers[clientAddressHeader];
	const kept: string[] = [];
	for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
		const [name, value] = [request.rawHeaders[index], request.rawHeaders[index + 1]];
		if (name === undefined || value === undefined || name.toLowerCase() === clientAddressHeader) continue;
		kept.push(name, value);
	}
	if (address !== undefined) {
		request.headers[clientAddressHeader] = address;
		kept.push(clientAddressHeader, address);
	}
	// Requests for the API are made from the raw list.
	request.rawHeaders = kept;
}

async function answerHealth(database: Database, response: ServerResponse): Promise<void> {
	let healthy = true;
	try {
		await sql`SELECT 1`.execute(database);
	} catch {
		// The answer tells.
		healthy = false;
	}
	response.writeHead(healthy ? 200 : 503, { "content-type": "application/json", "cache-control": "no-store" });
	response.end(JSON.stringify({ status: healthy ? "ok" : "database_unreachable" }));
}

async function sendProblem(response: ServerResponse, error: unknown): Promise<void> {
	const problem = problemResponse(toProblem(error));
	response.writeHead(problem.status, Object.fromEntries(problem.headers));
	response.end(await problem.text());
}

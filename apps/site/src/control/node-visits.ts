import type { IncomingMessage, ServerResponse } from "node:http";
import { parseInput, RepldockError, toProblem, type VisitAnswer, VisitQuestion } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { rightsOn } from "../domain/rights.ts";
import type { Database } from "../store/database.ts";
import { findUserByToken } from "../store/personal-tokens.ts";
import { findProject } from "../store/projects.ts";
import { bearsNodeToken } from "./node-token.ts";

const bodyMaxBytes = 4096;

/** Nodes ask whose personal token a visitor showed, and whether that person may see the project. */
export function createNodeVisits(options: {
	readonly database: Database;
	readonly nodeToken: string;
	readonly log: Logger;
}): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
	const { database, nodeToken, log } = options;

	async function answer(request: IncomingMessage): Promise<VisitAnswer> {
		if (!bearsNodeToken(request, nodeToken)) throw new RepldockError("not_allowed", "Only nodes may ask this.");
		if (request.method !== "POST") throw new RepldockError("invalid_input", "Use POST.");
		const { token, projectId } = parseInput(VisitQuestion, await readJson(request));
		const user = await findUserByToken(database, token);
		const project = user && (await findProject(database, projectId));
		const may = project && !project.deletedAt && rightsOn(project, user);
		return { user: may ? { id: user.id, name: user.name } : null };
	}

	return async (request, response) => {
		let [status, body]: [number, object] = [200, {}];
		try {
			body = await answer(request);
		} catch (error) {
			const problem = toProblem(error);
			if (problem.code === "internal") log.error({ err: error }, "a node's question about a visitor failed");
			[status, body] = [problem.status, problem];
		}
		response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
		response.end(JSON.stringify(body));
	};
}

/** @throws RepldockError `invalid_input` */
async function readJson(request: IncomingMessage): Promise<unknown> {
	let text = "";
	for await (const chunk of request.setEncoding("utf8")) {
		text += chunk;
		if (text.length > bodyMaxBytes) throw new RepldockError("invalid_input", "This is too long for a question.");
	}
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new RepldockError("invalid_input", "This is not JSON.", { cause });
	}
}

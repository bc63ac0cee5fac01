import { parseInput, type VisitAnswer, VisitQuestion } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { rightsOn } from "../domain/rights.ts";
import type { Database } from "../store/database.ts";
import { findUserByToken } from "../store/personal-tokens.ts";
import { findProject } from "../store/projects.ts";
import { answerNodes } from "./node-questions.ts";

const bodyMaxBytes = 4096;

/** Nodes ask whose personal token a visitor showed, and whether that person may see the project. */
export function createNodeVisits(options: {
	readonly database: Database;
	readonly nodeToken: string;
	readonly log: Logger;
}) {
	const { database } = options;

	async function answer(question: unknown): Promise<VisitAnswer> {
		const { token, projectId } = parseInput(VisitQuestion, question);
		const user = await findUserByToken(database, token);
		const project = user && (await findProject(database, projectId));
		const may = project && !project.deletedAt && rightsOn(project, user);
		return { user: may ? { id: user.id, name: user.name } : null };
	}

	return answerNodes({ ...options, bodyMaxBytes, answer });
}

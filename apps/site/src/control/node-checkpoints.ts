import {
	type ManifestAnswer,
	ManifestQuestion,
	parseInput,
	type UnnamedObjectsAnswer,
	UnnamedObjectsQuestion,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { findChain, findUnnamedObjects, readKnowsSince } from "../store/checkpoints.ts";
import type { Database } from "../store/database.ts";
import { answerNodes } from "./node-questions.ts";

/** A thousand keys. */
const bodyMaxBytes = 1024 * 1024;

/** Nodes ask what restores a project, and which objects nothing needs any more. */
export function createNodeCheckpoints(options: {
	readonly database: Database;
	readonly nodeToken: string;
	readonly log: Logger;
}) {
	const { database } = options;

	async function manifest(question: unknown): Promise<ManifestAnswer> {
		const { projectId, version } = parseInput(ManifestQuestion, question);
		return { chain: await findChain(database, projectId, version) };
	}

	async function unnamed(question: unknown): Promise<UnnamedObjectsAnswer> {
		const { keys } = parseInput(UnnamedObjectsQuestion, question);
		const knowsSince = await readKnowsSince(database);
		return { unnamed: await findUnnamedObjects(database, keys), knowsSince: knowsSince.toISOString() };
	}

	return {
		manifests: answerNodes({ ...options, bodyMaxBytes, answer: manifest }),
		unnamedObjects: answerNodes({ ...options, bodyMaxBytes, answer: unnamed }),
	};
}

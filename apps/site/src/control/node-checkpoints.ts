import {
	type ManifestAnswer,
	ManifestQuestion,
	parseInput,
	type ScrubAnswer,
	ScrubQuestion,
	type UnnamedObjectsAnswer,
	UnnamedObjectsQuestion,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { findChain, findUnnamedObjects, readKnowsSince } from "../store/checkpoints.ts";
import type { Database } from "../store/database.ts";
import { nextToScrub } from "../store/scrub.ts";
import { answerNodes } from "./node-questions.ts";

/** A thousand keys. */
const bodyMaxBytes = 1024 * 1024;

/** Nodes ask what restores a project, and which objects nothing needs any more. */
export function createNodeCheckpoints(options: {
	readonly database: Database;
	readonly nodeToken: string;
	readonly log: Logger;
}) {
	const { database, log } = options;

	async function manifest(question: unknown): Promise<ManifestAnswer> {
		const { projectId, version } = parseInput(ManifestQuestion, question);
		return { chain: await findChain(database, projectId, version) };
	}

	async function unnamed(question: unknown): Promise<UnnamedObjectsAnswer> {
		const { keys } = parseInput(UnnamedObjectsQuestion, question);
		const knowsSince = await readKnowsSince(database);
		return { unnamed: await findUnnamedObjects(database, keys), knowsSince: knowsSince.toISOString() };
	}

	async function scrub(question: unknown): Promise<ScrubAnswer> {
		const parsed = parseInput(ScrubQuestion, question);
		const { damaged, ...answer } = await nextToScrub(database, parsed);
		if (damaged > 0) log.error({ nodeId: parsed.nodeId, ...parsed.done }, "an object of checkpoints is damaged");
		return answer;
	}

	return {
		scrubs: answerNodes({ ...options, bodyMaxBytes, answer: scrub }),
		manifests: answerNodes({ ...options, bodyMaxBytes, answer: manifest }),
		unnamedObjects: answerNodes({ ...options, bodyMaxBytes, answer: unnamed }),
	};
}

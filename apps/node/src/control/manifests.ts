import {
	type Checkpoint,
	ManifestAnswer,
	type ManifestQuestion,
	manifestsPath,
	RepldockError,
	ScrubAnswer,
	type ScrubQuestion,
	scrubPath,
	UnnamedObjectsAnswer,
	unnamedObjectsPath,
} from "@repldock/protocol";
import { askSite, type SiteAddress } from "./ask-site.ts";

/** What the site's database says of checkpoints. @throws RepldockError `node_unreachable` when it does not answer. */
export function createManifestQuestions(site: SiteAddress) {
	async function ask(path: string, question: unknown): Promise<unknown> {
		try {
			return await askSite(site, path, question);
		} catch (cause) {
			throw new RepldockError(
				"node_unreachable",
				"The site cannot say where the files are. Try again in a few seconds.",
				{ cause },
			);
		}
	}

	return {
		async manifest(question: ManifestQuestion): Promise<Checkpoint[]> {
			return ManifestAnswer.parse(await ask(manifestsPath, question)).chain;
		},

		/** What is to be read back next; tells what the last one was like. */
		async scrub(question: ScrubQuestion): Promise<ScrubAnswer> {
			return ScrubAnswer.parse(await ask(scrubPath, question));
		},

		/** Which of these objects nothing refers to. */
		async unnamed(keys: readonly string[]): Promise<UnnamedObjectsAnswer> {
			return UnnamedObjectsAnswer.parse(await ask(unnamedObjectsPath, { keys }));
		},
	};
}
export type ManifestQuestions = ReturnType<typeof createManifestQuestions>;

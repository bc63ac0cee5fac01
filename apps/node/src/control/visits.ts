import { RepldockError, VisitAnswer, type VisitQuestion, visitsPath } from "@repldock/protocol";

const timeoutMs = 5_000;

/**
 * Asks the site whose personal token this is and whether that person may visit the project.
 * @throws RepldockError `node_unreachable` when it does not answer as it should.
 */
export function createVisitQuestions(options: {
	siteUrl: string;
	nodeToken: string;
}): (question: VisitQuestion) => Promise<VisitAnswer["user"]> {
	const url = new URL(visitsPath, options.siteUrl);
	return async (question) => {
		try {
			const response = await fetch(url, {
				method: "POST",
				headers: { authorization: `Bearer ${options.nodeToken}`, "content-type": "application/json" },
				body: JSON.stringify(question),
				redirect: "error",
				signal: AbortSignal.timeout(timeoutMs),
			});
			if (!response.ok) throw new Error(`the site answered ${response.status}`);
			return VisitAnswer.parse(await response.json()).user;
		} catch (cause) {
			throw new RepldockError("node_unreachable", "The site cannot say who you are. Try again in a few seconds.", {
				cause,
			});
		}
	};
}

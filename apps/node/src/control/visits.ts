import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { text } from "node:stream/consumers";
import { RepldockError, VisitAnswer, type VisitQuestion, visitsPath } from "@repldock/protocol";

const timeoutMs = 5_000;

export interface VisitQuestionsOptions {
	siteUrl: string;
	/** Unix socket of a site on this machine, which needs neither the edge nor a certificate to be reached. */
	siteSocket?: string | undefined;
	nodeToken: string;
}

/**
 * Asks the site whose personal token this is and whether that person may visit the project.
 * @throws RepldockError `node_unreachable` when it does not answer as it should.
 */
export function createVisitQuestions(
	options: VisitQuestionsOptions,
): (question: VisitQuestion) => Promise<VisitAnswer["user"]> {
	return async (question) => {
		try {
			return VisitAnswer.parse(JSON.parse(await post(options, JSON.stringify(question)))).user;
		} catch (cause) {
			throw new RepldockError("node_unreachable", "The site cannot say who you are. Try again in a few seconds.", {
				cause,
			});
		}
	};
}

async function post({ siteUrl, siteSocket, nodeToken }: VisitQuestionsOptions, body: string): Promise<string> {
	const url = new URL(visitsPath, siteUrl);
	const send = !siteSocket && url.protocol === "https:" ? secureRequest : request;
	const signal = AbortSignal.timeout(timeoutMs);
	return new Promise((resolve, reject) => {
		const outgoing = send({
			...(siteSocket ? { socketPath: siteSocket } : { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: url.port }),
			method: "POST",
			path: url.pathname,
			headers: {
				host: url.host,
				authorization: `Bearer ${nodeToken}`,
				"content-type": "application/json",
				"content-length": Buffer.byteLength(body),
			},
			signal,
		});
		outgoing.on("error", reject);
		outgoing.on("response", (response) => {
			if (response.statusCode !== 200) {
				response.destroy();
				reject(new Error(`the site answered ${response.statusCode}`));
			} else text(response).then(resolve, reject);
		});
		outgoing.end(body);
	});
}

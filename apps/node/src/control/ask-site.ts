import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { text } from "node:stream/consumers";

const timeoutMs = 5_000;

/** How this node reaches the site for questions that are no part of the control socket. */
export interface SiteAddress {
	siteUrl: string;
	/** Unix socket of a site on this machine, which needs neither the edge nor a certificate to be reached. */
	siteSocket?: string | undefined;
	nodeToken: string;
}

/** Puts a question as JSON and parses the answer. @throws Error when the site does not answer as it should. */
export async function askSite(
	{ siteUrl, siteSocket, nodeToken }: SiteAddress,
	path: string,
	question: unknown,
): Promise<unknown> {
	const body = JSON.stringify(question);
	const url = new URL(path, siteUrl);
	const send = !siteSocket && url.protocol === "https:" ? secureRequest : request;
	const signal = AbortSignal.timeout(timeoutMs);
	const answer = await new Promise<string>((resolve, reject) => {
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
	return JSON.parse(answer);
}

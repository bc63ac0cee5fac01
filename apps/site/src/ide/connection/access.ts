import type { AccessGrant, Rights } from "@repldock/protocol";
import { ProblemError, problemOfResponse } from "./problem.ts";
import type { Site } from "./site.ts";

/** The right to talk to the node, until `expiresAtMs`. */
export type Access = {
	token: string;
	/** The node's address, without a slash at its end. */
	gatewayUrl: string;
	/** `<gateway>/projects/<id>`, without a slash at its end. */
	projectUrl: string;
	rights: Rights;
	expiresAtMs: number;
};

/** A token is renewed this long before it ends, so that no request starts with one that is about to. */
const renewBeforeMs = 60_000;

export type AccessKeeper = {
	/** A token that is good now. Callers at the same time share one exchange. @throws ProblemError */
	get(): Promise<Access>;
	/** The node refused this token: the next `get` fetches a new one. Does nothing if it was renewed meanwhile. */
	refused(token: string): void;
};

/** Exchanges tickets of the site for access tokens of the node and keeps the current one. */
export function createAccessKeeper(site: Site, projectId: string, now: () => number = Date.now): AccessKeeper {
	let current: Access | null = null;
	let exchange: Promise<Access> | null = null;

	async function renew(): Promise<Access> {
		const grant = await site.ticket();
		const gatewayUrl = grant.gatewayUrl.replace(/\/+$/, "");
		const response = await fetch(`${gatewayUrl}/access`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({ ticket: grant.ticket }),
		});
		if (!response.ok) throw new ProblemError(await problemOfResponse(response));
		const access = (await response.json()) as AccessGrant;
		current = {
			token: access.token,
			gatewayUrl,
			projectUrl: `${gatewayUrl}/projects/${encodeURIComponent(projectId)}`,
			rights: access.rights === "edit" ? "edit" : "view",
			expiresAtMs: Date.parse(access.expiresAt),
		};
		return current;
	}

	return {
		async get() {
			if (current && now() < current.expiresAtMs - renewBeforeMs) return current;
			exchange ??= renew().finally(() => {
				exchange = null;
			});
			return exchange;
		},
		refused(token) {
			if (current?.token === token) current = null;
		},
	};
}

import type { IncomingMessage } from "node:http";
import {
	type AccessClaims,
	accessSubprotocolPrefix,
	ProjectId,
	RepldockError,
	socketSubprotocol,
} from "@repldock/protocol";
import { z } from "zod";
import { verifyAccess } from "../gateway/access.ts";
import { PtyId } from "./messages.ts";

/** What a socket that was let in may do, and until when. */
export interface AdmittedSocket {
	claims: AccessClaims;
	ptyId: string;
	after: number | undefined;
}

/** Who may open a socket: decided offline, by the access token and what the agent said last. */
export interface AccessControl {
	/** @throws RepldockError `invalid_ticket`, `not_allowed` or `not_found` when the request must be refused. */
	admit(request: IncomingMessage): Promise<AdmittedSocket>;
	/** The rights version was not taken away in the meantime. */
	isCurrent(claims: AccessClaims): boolean;
	setRights(projectId: string, rightsVersion: number): void;
	setOrigins(origins: readonly string[]): void;
}

const Offset = z.coerce.number().int().min(0);

export function createAccessControl(secret: Uint8Array): AccessControl {
	const lowestVersions = new Map<string, number>();
	let allowedOrigins = new Set<string>();

	const isCurrent = (claims: AccessClaims) => claims.rightsVersion >= (lowestVersions.get(claims.projectId) ?? 0);

	return {
		async admit(request) {
			const { projectId, ptyId, after } = readAddress(request.url ?? "");
			const { origin } = request.headers;
			// Programs that are no browsers send none; for them the token alone decides.
			if (origin !== undefined && !allowedOrigins.has(origin)) {
				throw new RepldockError("not_allowed", "This page may not open a terminal here.");
			}
			const claims = await verifyAccess(secret, readToken(request.headers["sec-websocket-protocol"] ?? ""));
			if (claims.projectId !== projectId) throw new RepldockError("not_allowed", "This access is for another project.");
			if (!isCurrent(claims)) throw new RepldockError("invalid_ticket", "Your rights have changed. Reload the page.");
			return { claims, ptyId, after };
		},
		isCurrent,
		setRights: (projectId, rightsVersion) => void lowestVersions.set(projectId, rightsVersion),
		setOrigins(origins) {
			allowedOrigins = new Set(origins);
		},
	};
}

/** `/projects/<projectId>/ptys/<ptyId>?after=<offset>` */
function readAddress(address: string): { projectId: string; ptyId: string; after: number | undefined } {
	const url = URL.canParse(address, "http://holder") ? new URL(address, "http://holder") : null;
	const match = /^\/projects\/([^/]+)\/ptys\/([^/]+)$/.exec(url?.pathname ?? "");
	const projectId = ProjectId.safeParse(match?.[1]);
	const ptyId = PtyId.safeParse(match?.[2]);
	if (!projectId.success || !ptyId.success) throw new RepldockError("not_found", "There is no such terminal.");
	const after = Offset.safeParse(url?.searchParams.get("after") ?? undefined);
	return { projectId: projectId.data, ptyId: ptyId.data, after: after.success ? after.data : undefined };
}

function readToken(subprotocols: string): string {
	const offered = subprotocols.split(",").map((subprotocol) => subprotocol.trim());
	const token = offered.find((subprotocol) => subprotocol.startsWith(accessSubprotocolPrefix));
	if (token === undefined || !offered.includes(socketSubprotocol)) {
		throw new RepldockError("invalid_ticket", "The access token is missing. Reload the page.");
	}
	return token.slice(accessSubprotocolPrefix.length);
}

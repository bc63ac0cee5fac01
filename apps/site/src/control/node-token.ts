import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Whether the request bears the token with which nodes prove themselves. */
export function bearsNodeToken(request: IncomingMessage, nodeToken: string): boolean {
	const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
	const digest = (text: string) => createHash("sha256").update(text).digest();
	return timingSafeEqual(digest(token), digest(nodeToken));
}

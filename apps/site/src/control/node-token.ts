import type { IncomingMessage } from "node:http";
import { bearsToken } from "@repldock/service";

/** Whether the request bears the token with which nodes prove themselves. */
export function bearsNodeToken(request: IncomingMessage, nodeToken: string): boolean {
	return bearsToken(request.headers.authorization, nodeToken);
}

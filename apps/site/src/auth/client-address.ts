import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** Header in which the server tells better-auth where a request comes from; whatever a client sent in it is dropped. */
export const clientAddressHeader = "x-repldock-client-address";

function isLoopback(address: string): boolean {
	return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}

/**
 * The address of the browser behind a request. The edge, which is the only one to reach us over the unix socket or the
 * loopback address, adds its visitor as the last of `X-Forwarded-For`; what stands before it the visitor may have made
 * up. From anyone else the header means nothing.
 */
export function clientAddress(request: IncomingMessage): string | undefined {
	const peer = request.socket.remoteAddress;
	if (peer !== undefined && !isLoopback(peer)) return peer;
	const forwarded = request.headers["x-forwarded-for"];
	const last = (Array.isArray(forwarded) ? forwarded.join(",") : (forwarded ?? "")).split(",").at(-1)?.trim() ?? "";
	return isIP(last) ? last : peer;
}

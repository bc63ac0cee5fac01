import { createHash, timingSafeEqual } from "node:crypto";

/** Whether an `Authorization` header bears this token; takes the same time whatever it bears. */
export function bearsToken(authorization: string | undefined, token: string): boolean {
	const borne = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
	return borne !== undefined && timingSafeEqual(digest(borne), digest(token));
}

function digest(text: string): Buffer {
	return createHash("sha256").update(text).digest();
}

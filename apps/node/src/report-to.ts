import type { Logger } from "@repldock/service";

/** For work that nobody waits for: what went wrong with it is in the log. */
export function reportTo(log: Logger, message: string) {
	return (error: unknown) => log.error({ err: error }, message);
}

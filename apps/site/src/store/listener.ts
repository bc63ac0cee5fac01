import { createBackoff } from "@repldock/service";
import pg from "pg";
import type { DatabaseAddress } from "./database.ts";

export const desiredChannel = "repldock_desired";

/**
 * Listens on one channel of the database over a connection of its own, and opens it anew whenever it is lost.
 * @param onPayload one notification.
 * @param onConnected listening has begun, again or for the first time: anything may have been missed before.
 */
export function listen(
	address: DatabaseAddress,
	channel: string,
	on: { payload: (payload: string) => void; connected: () => void; lost: (error: Error) => void },
): { close(): Promise<void> } {
	const backoff = createBackoff(100, 5_000);
	let client: pg.Client | undefined;
	let timer: NodeJS.Timeout | undefined;
	let closed = false;

	async function connect(): Promise<void> {
		const attempt = new pg.Client({ ...address, application_name: "repldock-site-listener", keepAlive: true });
		client = attempt;
		let failed = false;
		const fail = (error: Error) => {
			if (failed || closed) return;
			failed = true;
			on.lost(error);
			timer = setTimeout(connect, backoff.nextMs());
			void attempt.end().catch(() => undefined);
		};
		attempt.on("error", fail);
		attempt.on("end", () => fail(new Error("The database ended the connection.")));
		attempt.on("notification", (message) => on.payload(message.payload ?? ""));
		try {
			await attempt.connect();
			await attempt.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
			backoff.reset();
			if (!closed) on.connected();
		} catch (error) {
			fail(error instanceof Error ? error : new Error(String(error)));
		}
	}

	void connect();
	return {
		async close() {
			closed = true;
			clearTimeout(timer);
			await client?.end().catch(() => undefined);
		},
	};
}

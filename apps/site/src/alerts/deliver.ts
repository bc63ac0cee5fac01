import type { Logger } from "@repldock/service";
import type { Database } from "../store/database.ts";
import { endDelivery, postponeDelivery, type StoredAlert, takeDueAlerts } from "../store/network-alerts.ts";

export interface DeliveryOptions {
	readonly database: Database;
	/** Where alerts are posted to. Its path or query may be a secret: it is never logged. */
	readonly webhook: string;
	/** Where people look at them. */
	readonly siteUrl: string;
	readonly log: Logger;
	/** Shortest and longest wait before what failed is tried again, and how often it is tried at most. */
	readonly retry?: { readonly firstMs: number; readonly mostMs: number; readonly attempts: number };
}

const answerWithinMs = 10_000;
const atOnce = 20;
/** Tried for about a day. */
const retryTimes = { firstMs: 5_000, mostMs: 60 * 60_000, attempts: 32 };

/** Posts what is due, one after another. @returns how many were delivered. */
export async function deliverAlerts(options: DeliveryOptions): Promise<number> {
	const { database, log } = options;
	const retry = options.retry ?? retryTimes;
	let delivered = 0;
	// An instance that ends in the midst leaves its alerts to another one after the time that all of them may take.
	for (const alert of await takeDueAlerts(database, 2 * atOnce * answerWithinMs, atOnce)) {
		const reason = await post(options, alert);
		if (reason === null) {
			await endDelivery(database, alert.id, true);
			delivered += 1;
			continue;
		}
		const isGivenUp = alert.attempts >= retry.attempts;
		log.warn({ alert: alert.id, attempts: alert.attempts, reason, isGivenUp }, "an alert was not delivered");
		if (isGivenUp) await endDelivery(database, alert.id, false);
		else await postponeDelivery(database, alert.id, Math.min(retry.mostMs, retry.firstMs * 2 ** (alert.attempts - 1)));
	}
	return delivered;
}

/** @returns why it failed, in words that hold nothing of the address; null when it was taken. */
async function post({ webhook, siteUrl }: DeliveryOptions, alert: StoredAlert): Promise<string | null> {
	try {
		const response = await fetch(webhook, {
			method: "POST",
			headers: { "content-type": "application/json", "user-agent": "Repldock" },
			body: JSON.stringify(document(siteUrl, alert)),
			// A redirect would carry the document to where the operator did not send it.
			redirect: "manual",
			signal: AbortSignal.timeout(answerWithinMs),
		});
		await response.body?.cancel();
		return response.ok ? null : `status ${response.status}`;
	} catch (error) {
		const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
		const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
		return code ?? (error instanceof Error ? error.name : "unknown");
	}
}

/** `text` makes it readable for chat programs that take such a document as it is. */
function document(siteUrl: string, alert: StoredAlert) {
	const { id, kind, detail, noticedAt, nodeName, projectId, projectName, slug, ownerName } = alert;
	return {
		text: `Repldock, ${nodeName}: ${projectName} (${slug}) of ${ownerName}: ${detail}`,
		id,
		kind,
		detail,
		noticedAt: noticedAt.toISOString(),
		node: nodeName,
		project: { id: projectId, name: projectName, slug },
		owner: ownerName,
		url: `${siteUrl}/admin`,
	};
}

/** Delivers now and then until the returned function is called, which waits for what is under way. */
export function startDelivery(options: DeliveryOptions, intervalMs: number): () => Promise<void> {
	let underWay: Promise<unknown> | undefined;
	const timer = setInterval(() => {
		underWay ??= deliverAlerts(options)
			.catch((error: unknown) => options.log.error({ err: error }, "alerts were not looked at; they are again"))
			.finally(() => {
				underWay = undefined;
			});
	}, intervalMs);
	return async () => {
		clearInterval(timer);
		await underWay;
	};
}

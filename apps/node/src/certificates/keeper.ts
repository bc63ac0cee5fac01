import { createBackoff, type Logger } from "@repldock/service";
import type { KeyPairPem } from "./make.ts";
import { type Certificate, readCertificate } from "./read.ts";
import type { CertificateStore } from "./store.ts";

/** Gets a certificate for one name (host, wildcard or address) from an authority. */
export interface Issuer {
	issue(name: string): Promise<KeyPairPem>;
}

/** How it stands with one name, for the operator. Times are ISO 8601. */
export interface CertificateStatus {
	name: string;
	/** When the present certificate ends; null when there is none yet. */
	notAfter: string | null;
	/** Why the last attempt to get one failed, and when the next one is. */
	problem: string | null;
	nextAttemptAt: string | null;
}

/** Keeps a certificate for each wanted name, and renews it in time. */
export interface Keeper {
	/** All names that are wanted from now on; repeating it is harmless. */
	want(names: readonly string[]): void;
	/** Resolves when those that are on disk have been read, for all names wanted up to now. */
	loaded(): Promise<void>;
	status(): CertificateStatus[];
	close(): void;
}

interface Kept {
	certificate: Certificate | undefined;
	problem: string | undefined;
	nextAttemptMs: number | undefined;
	timer: NodeJS.Timeout | undefined;
	backoff: ReturnType<typeof createBackoff>;
}

/** Orders under way at once: authorities count them, and one that hangs must not hold up the others. */
const issuesAtOnce = 3;

/** setTimeout takes no more than 2^31 - 1 ms; a longer wait looks at the time again. */
const longestTimerMs = 24 * 60 * 60_000;

/**
 * When a certificate is renewed: after two thirds of its life, and up to a thirtieth later, so that many that were made
 * together are not renewed together.
 */
export function renewalTimeMs({ notBefore, notAfter }: Pick<Certificate, "notBefore" | "notAfter">, random: number) {
	const lifetimeMs = notAfter.getTime() - notBefore.getTime();
	return notBefore.getTime() + lifetimeMs * (2 / 3 + random / 30);
}

/**
 * @param options.onChange gets all certificates whenever one of them changed. A certificate that cannot be renewed stays:
 * what works is never taken down because what comes after it failed.
 */
export function createKeeper(options: {
	store: CertificateStore;
	issuer: Issuer;
	onChange: (certificates: Certificate[]) => void;
	onStatus?: (status: CertificateStatus[]) => void;
	log: Logger;
	/** Authorities count failures, commonly to five an hour and name; default 5 minutes, doubling to 12 hours. */
	retryFirstMs?: number;
	retryMostMs?: number;
}): Keeper {
	const { store, issuer, log } = options;
	const kept = new Map<string, Kept>();
	const queue: string[] = [];
	let loading: Promise<unknown> = Promise.resolve();
	let underWay = 0;
	let closed = false;

	function tell() {
		options.onChange([...kept.values()].flatMap(({ certificate }) => certificate ?? []));
		options.onStatus?.(status());
	}

	function schedule(name: string, entry: Kept, atMs: number) {
		if (closed || kept.get(name) !== entry) return;
		entry.nextAttemptMs = atMs;
		clearTimeout(entry.timer);
		const waitMs = Math.max(0, atMs - Date.now());
		entry.timer = setTimeout(
			() => (waitMs > longestTimerMs ? schedule(name, entry, atMs) : enqueue(name)),
			Math.min(waitMs, longestTimerMs),
		);
		entry.timer.unref();
	}

	function enqueue(name: string) {
		if (!queue.includes(name)) queue.push(name);
		work();
	}

	function work() {
		while (underWay < issuesAtOnce) {
			const name = queue.shift();
			if (name === undefined) return;
			const entry = kept.get(name);
			if (closed || !entry) continue;
			underWay += 1;
			void renew(name, entry).finally(() => {
				underWay -= 1;
				work();
			});
		}
	}

	async function renew(name: string, entry: Kept) {
		try {
			const pair = await issuer.issue(name);
			const certificate = readCertificate(pair);
			await store.keep(name, pair);
			entry.certificate = certificate;
			entry.problem = undefined;
			entry.backoff.reset();
			log.info({ name, notAfter: certificate.notAfter }, "a certificate was issued");
			schedule(name, entry, renewalTimeMs(certificate, Math.random()));
		} catch (error) {
			entry.problem = error instanceof Error ? error.message : String(error);
			const waitMs = entry.backoff.nextMs();
			const notAfter = entry.certificate?.notAfter ?? null;
			log.error({ err: error, name, notAfter, waitMs: Math.round(waitMs) }, "no certificate was issued; trying again");
			schedule(name, entry, Date.now() + waitMs);
		}
		if (!closed && kept.get(name) === entry) tell();
	}

	async function begin(name: string, entry: Kept) {
		const certificate = await store.find(name).catch((error: unknown) => {
			log.error({ err: error, name }, "a kept certificate could not be read");
			return undefined;
		});
		if (closed || kept.get(name) !== entry) return;
		if (!certificate) return enqueue(name);
		entry.certificate = certificate;
		tell();
		schedule(name, entry, renewalTimeMs(certificate, Math.random()));
	}

	function status(): CertificateStatus[] {
		return [...kept].map(([name, { certificate, problem, nextAttemptMs }]) => ({
			name,
			notAfter: certificate?.notAfter.toISOString() ?? null,
			problem: problem ?? null,
			nextAttemptAt: nextAttemptMs === undefined ? null : new Date(nextAttemptMs).toISOString(),
		}));
	}

	return {
		want(names) {
			const wanted = new Set(names);
			let changed = false;
			for (const [name, entry] of kept) {
				if (wanted.has(name)) continue;
				clearTimeout(entry.timer);
				kept.delete(name);
				changed = true;
			}
			for (const name of wanted) {
				if (kept.has(name)) continue;
				const entry: Kept = {
					certificate: undefined,
					problem: undefined,
					nextAttemptMs: undefined,
					timer: undefined,
					backoff: createBackoff(options.retryFirstMs ?? 5 * 60_000, options.retryMostMs ?? 12 * 60 * 60_000),
				};
				kept.set(name, entry);
				loading = Promise.all([loading, begin(name, entry)]);
			}
			if (changed) tell();
		},
		async loaded() {
			await loading;
		},
		status,
		close() {
			closed = true;
			for (const { timer } of kept.values()) clearTimeout(timer);
		},
	};
}

import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { isNotFound, ObjectStoreError } from "./errors.ts";
import type { ObjectStore } from "./store.ts";

/** An object as it should be. */
export interface ExpectedObject {
	readonly key: string;
	readonly bytes: number;
	/** In hexadecimal. */
	readonly sha256: string;
}

/** An object that is not as it should be; `cause` is for the log. */
export interface ScrubFinding {
	readonly key: string;
	readonly problem: "missing" | "damaged";
	readonly detail: string;
}

export interface ScrubResult {
	readonly checked: number;
	readonly bytes: number;
	readonly findings: ScrubFinding[];
}

/**
 * Reads objects back and compares their sums. What is wrong with one object is a finding; a store that cannot be asked
 * ends the scrub, since it says nothing about any object.
 * @param options.bytesPerSecond how fast it reads on average at most.
 * @throws ObjectStoreError `unavailable` or `refused`
 */
export async function scrub(
	store: ObjectStore,
	entries: Iterable<ExpectedObject> | AsyncIterable<ExpectedObject>,
	options: { bytesPerSecond?: number; signal?: AbortSignal } = {},
): Promise<ScrubResult> {
	const { bytesPerSecond = Number.POSITIVE_INFINITY, signal } = options;
	const startedAtMs = performance.now();
	const findings: ScrubFinding[] = [];
	let checked = 0;
	let bytes = 0;

	async function slowDown(read: number) {
		bytes += read;
		const aheadMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - startedAtMs);
		if (aheadMs > 0) await wait(aheadMs, undefined, signal ? { signal } : {});
	}

	for await (const entry of entries) {
		signal?.throwIfAborted();
		const finding = await checkObject(store, entry, slowDown, signal);
		if (finding) findings.push(finding);
		checked += 1;
	}
	return { checked, bytes, findings };
}

async function checkObject(
	store: ObjectStore,
	entry: ExpectedObject,
	taken: (bytes: number) => Promise<void>,
	signal: AbortSignal | undefined,
): Promise<ScrubFinding | null> {
	const { key } = entry;
	const hash = createHash("sha256");
	let bytes = 0;
	try {
		for await (const chunk of await store.get(key, signal ? { signal } : {})) {
			hash.update(chunk);
			bytes += chunk.length;
			await taken(chunk.length);
		}
	} catch (error) {
		if (isNotFound(error)) return { key, problem: "missing", detail: "The store has no such object." };
		if (!(error instanceof ObjectStoreError && error.code === "corrupt")) throw error;
		return { key, problem: "damaged", detail: error.message };
	}
	if (bytes !== entry.bytes) {
		return { key, problem: "damaged", detail: `It has ${bytes} bytes instead of ${entry.bytes}.` };
	}
	if (hash.digest("hex") !== entry.sha256) return { key, problem: "damaged", detail: "Its SHA-256 is another one." };
	return null;
}

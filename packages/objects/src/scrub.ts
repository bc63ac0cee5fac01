import { createHash, type Hash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { isNotFound, ObjectStoreError } from "./errors.ts";
import type { ObjectStore } from "./store.ts";

/** Bytes of an object as they should be. */
export interface ExpectedPart {
	readonly start: number;
	readonly bytes: number;
	/** In hexadecimal. */
	readonly sha256: string;
}

/** What is wrong with a part; `detail` is a sentence for operators. */
export interface ScrubFinding<Part extends ExpectedPart> {
	readonly part: Part;
	readonly problem: "missing" | "damaged";
	readonly detail: string;
}

/**
 * Reads an object back once, and compares the sums of its parts and its own. What is wrong with it is a finding; a store
 * that cannot be asked says nothing about any object.
 * @param options.bytesPerSecond how fast it reads on average at most.
 * @throws ObjectStoreError `unavailable` or `refused`
 */
export async function scrubObject<Part extends ExpectedPart>(
	store: ObjectStore,
	key: string,
	parts: readonly Part[],
	options: { bytesPerSecond?: number; signal?: AbortSignal } = {},
): Promise<ScrubFinding<Part>[]> {
	const { bytesPerSecond = Number.POSITIVE_INFINITY, signal } = options;
	const startedAtMs = performance.now();
	const hashes = new Map<Part, Hash>(parts.map((part) => [part, createHash("sha256")]));
	let bytes = 0;
	let damage: string | undefined;
	try {
		for await (const chunk of await store.get(key, signal ? { signal } : {})) {
			for (const [part, hash] of hashes) hash.update(overlap(chunk, bytes, part));
			bytes += chunk.length;
			const aheadMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - startedAtMs);
			if (aheadMs > 0) await wait(aheadMs, undefined, signal ? { signal } : {});
		}
	} catch (error) {
		if (isNotFound(error)) {
			return parts.map((part) => ({ part, problem: "missing", detail: "The store has no such object." }));
		}
		if (!(error instanceof ObjectStoreError && error.code === "corrupt")) throw error;
		damage = error.message;
	}
	const findings: ScrubFinding<Part>[] = [];
	for (const part of parts) {
		const detail = damage ?? differs(part, bytes, hashes.get(part));
		if (detail) findings.push({ part, problem: "damaged", detail });
	}
	return findings;
}

/** Those bytes of a chunk, which begins at `offset` of the object, that are the part's. */
function overlap(chunk: Buffer, offset: number, { start, bytes }: ExpectedPart): Buffer {
	const from = Math.max(0, start - offset);
	return chunk.subarray(from, Math.max(from, start + bytes - offset));
}

function differs({ start, bytes, sha256 }: ExpectedPart, objectBytes: number, hash: Hash | undefined) {
	if (objectBytes < start + bytes) return `It has ${objectBytes} bytes, and should have ${start + bytes} or more.`;
	return hash?.digest("hex") === sha256 ? undefined : "Its SHA-256 is another one.";
}

import type { OperationCounts } from "./count.ts";

/**
 * Cloudflare R2's list prices for standard storage in US dollars, without the free part of each month, from
 * https://developers.cloudflare.com/r2/pricing/. Class A are the operations that write or list, class B those that
 * read; removing and egress are free.
 */
export const r2Prices = {
	classAPerMillion: 4.5,
	classBPerMillion: 0.36,
	storedPerGigabyteMonth: 0.015,
} as const;

export interface Price {
	readonly classA: number;
	readonly classB: number;
	readonly storage: number;
	readonly dollars: number;
}

/**
 * What a month costs.
 * @param counts operations in that month.
 * @param storedBytes what was kept on average; a gigabyte is 10^9 bytes.
 */
export function r2Price(counts: Pick<OperationCounts, "puts" | "gets" | "lists">, storedBytes: number): Price {
	const classA = ((counts.puts + counts.lists) / 1e6) * r2Prices.classAPerMillion;
	const classB = (counts.gets / 1e6) * r2Prices.classBPerMillion;
	const storage = (storedBytes / 1e9) * r2Prices.storedPerGigabyteMonth;
	return { classA, classB, storage, dollars: classA + classB + storage };
}

import type { KernelObject } from "./objects.ts";

/** What the kernel shows of an object: its shape, and how it is taken away should nobody ask for it. */
export interface Observed {
	shape: string;
	/** Lower ones go first, since what is referred to stays; undefined: it may stay. */
	removal?: { order: number; line: string; goesWith: string | null };
}

export interface Plan {
	/** For `tc -batch`, in this order. */
	lines: string[];
	/** One for each difference. */
	sentences: string[];
}

/**
 * The changes that lead from what the kernel shows to what it should hold, and touch nothing that is right.
 * @param desired parents before what stands in them.
 */
export function plan(desired: readonly KernelObject[], observed: ReadonlyMap<string, Observed>): Plan {
	const removals: { order: number; line: string }[] = [];
	const additions: string[] = [];
	const sentences: string[] = [];
	/** What goes when its parent is made anew. */
	const remade = new Set<string>();

	for (const object of desired) {
		const seen = observed.get(object.key);
		const fell = object.parent !== null && remade.has(object.parent);
		if (seen && !fell && seen.shape === object.shape) continue;
		const short = seen?.shape === object.shortcut?.from ? object.shortcut?.lines : object.change;
		if (seen && !fell && short) {
			additions.push(...short);
			sentences.push(`${object.key} was ${seen.shape}, not ${object.shape}`);
			continue;
		}
		if (seen && !fell) {
			additions.push(...object.remove);
			sentences.push(`${object.key} was ${seen.shape || "broken"}, not ${object.shape}`);
		} else if (!fell) sentences.push(`${object.key} was missing`);
		remade.add(object.key);
		additions.push(...object.add);
	}

	const wanted = new Set(desired.map(({ key }) => key));
	const unwanted = (key: string | null) => key !== null && observed.has(key) && !wanted.has(key);
	for (const [key, { removal }] of observed) {
		if (wanted.has(key) || !removal) continue;
		sentences.push(`${key} was nobody's`);
		if (!unwanted(removal.goesWith)) removals.push(removal);
	}
	removals.sort((a, b) => a.order - b.order);
	return { lines: [...removals.map(({ line }) => line), ...additions], sentences };
}

export interface ToastOptions {
	title: string;
	detail?: string | undefined;
	tone?: "neutral" | "positive" | "danger" | undefined;
	action?: { label: string; onSelect: () => void } | undefined;
	/** How long it stays unless the pointer or focus is on it. */
	durationMs?: number | undefined;
}

export interface ToastEntry extends ToastOptions {
	id: number;
}

const defaultDurationMs = 6_000;
/** More than this many at once is noise; the oldest goes. */
const mostAtOnce = 4;

let entries: readonly ToastEntry[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

/** Shows a message in the page's `Toaster`. Returns its id. */
export function toast(options: ToastOptions): number {
	const id = nextId++;
	change([...entries, { ...options, durationMs: options.durationMs ?? defaultDurationMs, id }].slice(-mostAtOnce));
	return id;
}

/** Takes a message away; harmless when it is gone already. */
export function dismissToast(id: number): void {
	change(entries.filter((entry) => entry.id !== id));
}

export function subscribeToasts(listener: () => void): () => void {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

export function currentToasts(): readonly ToastEntry[] {
	return entries;
}

function change(next: readonly ToastEntry[]) {
	entries = next;
	for (const listener of listeners) listener();
}

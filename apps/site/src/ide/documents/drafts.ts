import type { Draft } from "./draft.ts";

/**
 * Keeps drafts in the browser's IndexedDB, so that a reload while offline loses nothing. A draft belongs to one tab (by a
 * number in its session storage): two tabs must not overwrite each other's drafts.
 */
export type Drafts = {
	get(path: string): Promise<Draft | null>;
	put(path: string, draft: Draft): Promise<void>;
	remove(path: string): Promise<void>;
};

const storeName = "drafts";

/** Where IndexedDB cannot be had (private windows of some browsers) nothing is kept, and leaving the page warns. */
export function openDrafts(projectId: string): Drafts {
	const prefix = `${projectId}/${tabId()}/`;
	let database: Promise<IDBDatabase> | null = null;

	async function withStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
		database ??= openDatabase();
		const transaction = (await database).transaction(storeName, mode);
		return whenDone(act(transaction.objectStore(storeName)));
	}
	return {
		async get(path) {
			const draft = await withStore<unknown>("readonly", (store) => store.get(prefix + path));
			return (draft as Draft | undefined) ?? null;
		},
		async put(path, draft) {
			await withStore("readwrite", (store) => store.put(draft, prefix + path));
		},
		async remove(path) {
			await withStore("readwrite", (store) => store.delete(prefix + path));
		},
	};
}

function openDatabase(): Promise<IDBDatabase> {
	const request = indexedDB.open("repldock", 1);
	request.onupgradeneeded = () => request.result.createObjectStore(storeName);
	return whenDone(request);
}

function whenDone<T>(request: IDBRequest<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

function tabId(): string {
	const key = "repldock.tab";
	const known = sessionStorage.getItem(key);
	if (known) return known;
	const made = Math.random().toString(36).slice(2);
	sessionStorage.setItem(key, made);
	return made;
}

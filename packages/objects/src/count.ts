import { Transform } from "node:stream";
import { type ObjectStore, pageKeys, partBytes } from "./store.ts";

/** Operations as object stores bill them, and bytes, since the counting began. */
export interface OperationCounts {
	/** Requests that store: one for each object, or of a large one the beginning, each part and the end. */
	puts: number;
	/** Requests that read: GET and HEAD. */
	gets: number;
	/** Pages of listings. */
	lists: number;
	/** Requests that remove, of up to 1,000 objects each. */
	deletes: number;
	bytesPut: number;
	bytesGot: number;
}

/**
 * The same store, counting. It counts what was meant to be asked: repeated requests after a fault are not in it, and a
 * folder is counted as if it were a bucket.
 */
export function countOperations(store: ObjectStore): ObjectStore & { readonly counts: Readonly<OperationCounts> } {
	const counts: OperationCounts = { puts: 0, gets: 0, lists: 0, deletes: 0, bytesPut: 0, bytesGot: 0 };
	return {
		description: store.description,
		counts,
		async put(key, body, options) {
			const result = await store.put(key, body, options);
			counts.puts += result.bytes > partBytes ? Math.ceil(result.bytes / partBytes) + 2 : 1;
			counts.bytesPut += result.bytes;
			return result;
		},
		async get(key, options) {
			counts.gets += 1;
			const body = await store.get(key, options);
			const counted = new Transform({
				transform(chunk: Buffer, _encoding, done) {
					counts.bytesGot += chunk.length;
					done(null, chunk);
				},
			});
			body.once("error", (error) => counted.destroy(error));
			counted.once("close", () => body.destroy());
			return body.pipe(counted);
		},
		head(key) {
			counts.gets += 1;
			return store.head(key);
		},
		async *list(prefix, options) {
			let keys = 0;
			for await (const info of store.list(prefix, options)) {
				if (keys % pageKeys === 0) counts.lists += 1;
				keys += 1;
				yield info;
			}
			if (keys === 0) counts.lists += 1;
		},
		remove(keys) {
			counts.deletes += Math.ceil(keys.length / pageKeys);
			return store.remove(keys);
		},
		now() {
			counts.gets += 1;
			return store.now();
		},
		reclaim: (olderThanMs) => store.reclaim(olderThanMs),
	};
}

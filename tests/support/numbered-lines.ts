import { buffer } from "node:stream/consumers";
import { zstdDecompressSync } from "node:zlib";
import type { ObjectStore } from "@repldock/objects";
import { readStoredCheckpoints } from "../../apps/cli/src/backup/stored-checkpoints.ts";

/** A shell script that appends numbered lines to `lines.txt` until it is ended. */
export const writeLines = `n=0
while true; do
	n=$((n + 1))
	echo "line-$n." >> lines.txt
	sleep 0.02
done
`;

/** The highest number of the lines in a text; 0 when there is none. */
export function lastLine(text: string): number {
	return [...text.matchAll(/line-(\d+)\./g)].reduce((most, [, number]) => Math.max(most, Number(number)), 0);
}

/** The last line of a project that the objects hold: looked for in the streams themselves, without database and volume. */
export async function lastStoredLine(store: ObjectStore, projectId: string): Promise<number> {
	let last = 0;
	for await (const { key, start, bytes, ...entry } of readStoredCheckpoints(store, ({ detail }) => {
		throw new Error(detail);
	})) {
		if (entry.projectId !== projectId || bytes === 0) continue;
		const stream = await buffer(await store.get(key, { range: { start, end: start + bytes } }));
		last = Math.max(last, lastLine(zstdDecompressSync(stream).toString("latin1")));
	}
	return last;
}

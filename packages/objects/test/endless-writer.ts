import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { openFolderStore } from "../src/index.ts";

/** Puts an object that never ends into the folder of its argument, and says a word when some of it was taken. */
async function* endless() {
	for (let piece = 0; ; piece += 1) {
		yield randomBytes(65_536);
		if (piece === 3) process.stdout.write("begun\n");
		if (piece >= 3) await new Promise((resolve) => setTimeout(resolve, 3_600_000));
	}
}

const store = await openFolderStore(process.argv[2] ?? "");
await store.put("endless", Readable.from(endless()));

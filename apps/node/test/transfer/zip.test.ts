import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { runCommand } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import type { TreeEntry } from "../../src/host-files.ts";
import { writeZip } from "../../src/transfer/zip-write.ts";

function fileOf(path: string, size: number): TreeEntry {
	return {
		path: Buffer.from(path),
		kind: "file",
		mode: 0o644,
		modifiedAtMs: Date.UTC(2026, 0, 1),
		size,
		target: Buffer.alloc(0),
		sharedId: null,
		data: () => [{ start: 0, end: size }],
		open: () => -1,
		async *read({ start, end }) {
			for (let at = start; at < end; at += zeros.length) yield zeros.subarray(0, Math.min(zeros.length, end - at));
		},
	};
}

const zeros = Buffer.alloc(1024 * 1024);

/** What Python's zipfile finds: number of entries, size of the first, and whether all checksums are right. */
async function check(entries: AsyncIterable<TreeEntry>): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "repldock-zip-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const path = join(folder, "archive.zip");
	await pipeline(Readable.from(writeZip(entries)), createWriteStream(path));
	const program = `
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(len(archive.infolist()), archive.infolist()[0].file_size, archive.testzip())
`;
	return (await runCommand("python3", ["-c", program, path], { timeoutMs: 500_000 })).trim();
}

test("a zip holds more than 65,535 entries", async () => {
	async function* many() {
		for (let count = 0; count < 70_000; count += 1) yield fileOf(`folder/${count}`, 0);
	}
	expect(await check(many())).toBe("70000 0 None");
}, 600_000);

test("a zip holds a file of more than 4 GiB, and one after it", async () => {
	const size = 4 * 1024 ** 3 + 7;
	async function* large() {
		yield fileOf("large", size);
		yield fileOf("small", 5);
	}
	expect(await check(large())).toBe(`2 ${size} None`);
}, 600_000);

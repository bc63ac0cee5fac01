import { createHash, randomBytes } from "node:crypto";
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

/** @param content a part of it that repeats; zeros when it is left out. */
function fileOf(path: string, size: number, content: Buffer = zeros): TreeEntry {
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
			for (let at = start; at < end; at += content.length)
				yield content.subarray(0, Math.min(content.length, end - at));
		},
	};
}

const zeros = Buffer.alloc(1024 * 1024);

async function packed(entries: AsyncIterable<TreeEntry>): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "repldock-zip-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const path = join(folder, "archive.zip");
	await pipeline(Readable.from(writeZip(entries)), createWriteStream(path));
	return path;
}

/** What Python's zipfile finds: number of entries, size of the first, and whether all checksums are right. */
async function check(entries: AsyncIterable<TreeEntry>): Promise<string> {
	const path = await packed(entries);
	const program = `
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(len(archive.infolist()), archive.infolist()[0].file_size, archive.testzip())
`;
	return (await runCommand("python3", ["-c", program, path], { timeoutMs: 500_000 })).trim();
}

test("files of every size come out as they went in, whether they shrink or not, and small ones that do not take no more", async () => {
	const sizes = [0, 1, 9, 100, 511, 512, 513, 4_097, 16_384, 16_385, 65_536, 262_145, 1_048_576, 1_048_577, 3_000_000];
	const noise = randomBytes(1_048_583);
	const text = Buffer.from("the same words again and again, ".repeat(100));
	async function* all() {
		for (const size of sizes) {
			yield fileOf(`noise/${size}`, size, noise);
			yield fileOf(`text/${size}`, size, text);
		}
	}
	const path = await packed(all());
	const program = `
import hashlib, json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(json.dumps([[e.filename, e.compress_size, hashlib.sha256(archive.read(e)).hexdigest()] for e in archive.infolist()]))
`;
	const found = JSON.parse(await runCommand("python3", ["-c", program, path])) as [string, number, string][];
	const contents = { noise, text };
	for (const [name, packedBytes, sum] of found) {
		const [kind, size] = name.split("/") as [keyof typeof contents, string];
		const whole = Buffer.alloc(Number(size));
		if (whole.length > 0) whole.fill(contents[kind]);
		expect([name, sum]).toEqual([name, createHash("sha256").update(whole).digest("hex")]);
		if (whole.length <= 1_048_576) expect(packedBytes, name).toBeLessThanOrEqual(whole.length);
		if (kind === "text" && whole.length > 100) expect(packedBytes, name).toBeLessThan(whole.length / 2);
	}
	expect(found).toHaveLength(2 * sizes.length);
	expect(await runCommand("unzip", ["-tq", path])).toContain("No errors detected");
});

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

import { randomBytes } from "node:crypto";
import { lstatSync, renameSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { RepldockError } from "@repldock/protocol";
import { removeEntry } from "./remove.ts";
import { descriptorPath, entryPath, entryPathOf, openChildDirectory, openDirectory, using } from "./resolve.ts";

const stagingPattern = /^\.repldock-import-[0-9a-f]{16}$/;

/**
 * What is in a staging folder says how far it is, so that after a crash it is carried on or taken back:
 * `new` is being filled; with `old` beside it the project's files are on their way into that; once it is called `ready`
 * they have all left, and it only remains to move its entries up.
 */
export const parts = { filling: "new", whole: "whole", old: "old", ready: "ready" } as const;

/** Entries of a directory that are moved before it is listed anew. */
const batchSize = 1_000;

/**
 * Brings what an agent that died was importing to an end: whole if it was whole already, else as if it had never begun.
 * @returns whether there was anything.
 */
export async function settleStagings(root: string): Promise<boolean> {
	const found = await using(openDirectory(root, ""), (fd) => names(fd, Number.POSITIVE_INFINITY, isStaging));
	for (const name of found) await settle(root, name.toString());
	return found.length > 0;
}

/** Carries a staging folder on to its end, or back to its beginning, and removes it. */
export async function settle(root: string, path: string): Promise<void> {
	await using(openDirectory(root, ""), async (rootFd) => {
		const fd = openReadable(rootFd, path);
		if (fd === null) return;
		await using(fd, async () => {
			const way = openReadable(fd, parts.ready) ?? openReadable(fd, parts.old);
			if (way !== null) await using(way, () => moveAll(way, rootFd));
		});
		await removeEntry(root, path);
	});
}

/** Moves all entries but stagings. What a program put in the way meanwhile is replaced, or kept under another name. */
export async function moveAll(from: number, to: number): Promise<void> {
	for (;;) {
		const found = await names(from, batchSize, (name) => !isStaging(name));
		if (found.length === 0) return;
		for (const name of found) moveOne(from, to, name);
	}
}

function moveOne(from: number, to: number, name: Buffer): void {
	try {
		renameSync(entryPathOf(from, name), entryPathOf(to, name));
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") return;
		if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EISDIR" && code !== "ENOTDIR") throw error;
		const aside = Buffer.from(`moved-aside-${randomBytes(4).toString("hex")}`);
		renameSync(entryPathOf(to, name), entryPathOf(to, aside));
		renameSync(entryPathOf(from, name), entryPathOf(to, name));
	}
}

/** Gives the import's files another name: those in `new`, or in its only entry if that is a folder. */
export async function unwrap(staging: number, to: string): Promise<void> {
	const filled = openChildDirectory(staging, parts.filling);
	await using(filled, async () => {
		const found = await names(filled, 2, () => true);
		const inner = entryPathOf(filled, found[0] ?? Buffer.alloc(0));
		const isWrapped = found.length === 1 && lstatSync(inner).isDirectory();
		renameSync(isWrapped ? inner : entryPath(staging, parts.filling), entryPath(staging, to));
	});
}

/** @throws RepldockError `invalid_archive` */
export async function requireFiles(staging: number): Promise<void> {
	const filled = openChildDirectory(staging, parts.filling);
	await using(filled, async () => {
		if ((await names(filled, 1, () => true)).length > 0) return;
		throw new RepldockError("invalid_archive", "There are no files in it.");
	});
}

async function names(directory: number, most: number, passes: (name: Buffer) => boolean): Promise<Buffer[]> {
	const found: Buffer[] = [];
	for await (const entry of await opendir(descriptorPath(directory), { encoding: "latin1", bufferSize: 256 })) {
		const name = Buffer.from(entry.name, "latin1");
		if (passes(name)) found.push(name);
		if (found.length >= most) break;
	}
	return found;
}

function isStaging(name: Buffer): boolean {
	return stagingPattern.test(name.toString("latin1"));
}

function openReadable(directory: number, name: string): number | null {
	try {
		return openChildDirectory(directory, name);
	} catch (error) {
		// A file or link of that name is none of our making.
		if (["ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
		throw error;
	}
}

/** Builds the toolchain image: one tar archive, named by the hash of its definition, for `docker import`. */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installDebian } from "./debian.ts";
import { definitionFolder, hashDefinition, readPackageNames } from "./definition.ts";
import { acquireLock } from "./lock.ts";
import { findNodeInterpreter, type NodeInterpreter, stageNode } from "./node-packages.ts";

export interface ToolchainArchive {
	/** 16 hexadecimal digits that stand for everything the image is made from. */
	hash: string;
	/** The archive's path. */
	archive: string;
}

/**
 * Returns the archive of the present definition, building it first when the cache has none (some minutes; needs root, mmdebstrap
 * and npm). Safe to call in several processes at once: one builds, the others wait and take its result. A build that is
 * cut off leaves nothing that could be taken for an archive.
 * @param options.cacheDirectory is created when missing; archives of other definitions in it are removed after a build.
 * @param options.onProgress gets lines for a person to read.
 * @throws Error that says which step failed and what it printed.
 */
export async function buildToolchain(options: {
	cacheDirectory: string;
	onProgress: (line: string) => void;
}): Promise<ToolchainArchive> {
	const interpreter = await findNodeInterpreter();
	const hash = hashDefinition(interpreter.version);
	const cacheDirectory = resolve(options.cacheDirectory);
	const archive = join(cacheDirectory, `toolchain-${hash}.tar`);
	if (existsSync(archive)) return { hash, archive };

	mkdirSync(cacheDirectory, { recursive: true });
	options.onProgress(`Building the toolchain image ${hash}. This happens once and takes some minutes.`);
	const releaseLock = await acquireLock(join(cacheDirectory, "toolchain.lock"));
	try {
		if (!existsSync(archive)) await buildArchive(archive, interpreter, options.onProgress);
	} finally {
		await releaseLock();
	}
	return { hash, archive };
}

/** The caller holds the lock, so whatever lies in the cache beside `archive` is out of date. */
async function buildArchive(
	archive: string,
	interpreter: NodeInterpreter,
	onProgress: (line: string) => void,
): Promise<void> {
	const cacheDirectory = dirname(archive);
	removeOthers(cacheDirectory, /^toolchain-build-/);
	const work = mkdtempSync(join(cacheDirectory, "toolchain-build-"));
	try {
		// apt downloads as an unprivileged user, which must get through to the new system's folder.
		chmodSync(work, 0o755);
		const stage = join(work, "stage");
		cpSync(join(definitionFolder, "root-files"), stage, { recursive: true });
		onProgress(`Installing Node ${interpreter.version} and its packages …`);
		await stageNode(interpreter, stage);
		const unfinished = join(work, "unfinished.tar");
		await installDebian({
			packages: readPackageNames(),
			archive: unfinished,
			stage,
			customizeHook: join(definitionFolder, "customize.sh"),
			temporaryDirectory: work,
			onProgress,
		});
		renameSync(unfinished, archive);
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
	removeOthers(cacheDirectory, /^toolchain-[0-9a-f]{16}\.tar$/, archive);
	onProgress("The toolchain image is built.");
}

function removeOthers(folder: string, pattern: RegExp, kept?: string): void {
	for (const name of readdirSync(folder)) {
		const path = join(folder, name);
		if (pattern.test(name) && path !== kept) rmSync(path, { recursive: true, force: true });
	}
}

if (import.meta.main) {
	const { values } = parseArgs({ options: { cache: { type: "string" } } });
	if (values.cache === undefined) {
		console.error("Usage: node images/toolchain/build.ts --cache DIRECTORY");
		process.exitCode = 2;
	} else {
		const result = await buildToolchain({
			cacheDirectory: values.cache,
			onProgress: (line) => console.error(line),
		});
		console.log(JSON.stringify(result));
	}
}

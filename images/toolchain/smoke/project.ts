/** A project in a container, confined as the node agent confines it. */
import { chownSync, cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { TestEngine } from "./engine.ts";

/** `runner` in the image. */
const runnerId = 1000;

export interface TestProject {
	/** The project's folder inside the container. */
	home: string;
	/** Runs a line of shell in the project's folder with the preset environment; returns its output, errors included. */
	run(shellLine: string): Promise<string>;
	/** Starts a line of shell and does not wait for it. */
	start(shellLine: string): Promise<void>;
	remove(): Promise<void>;
}

/** Starts a container whose project folder holds a copy of `folder`. */
export async function createTestProject(engine: TestEngine, folder: string): Promise<TestProject> {
	const volume = mkdtempSync(join(tmpdir(), "toolchain-test-project-"));
	cpSync(folder, volume, { recursive: true });
	changeOwner(volume, engine.firstUserId + runnerId);
	const home = "/home/runner/demo";
	const container = (
		await engine.docker([
			...["run", "--detach", "--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
			...["--network=none", "--pids-limit=256", "--memory=512m", `--user=${runnerId}:${runnerId}`],
			...["--tmpfs=/tmp:exec,mode=1777", `--volume=${volume}:${home}`, `--workdir=${home}`],
			...readEnvironment(home).flatMap((variable) => ["--env", variable]),
			...[engine.image, "sleep", "infinity"],
		])
	).trim();
	return {
		home,
		run: (shellLine) => engine.docker(["exec", container, "bash", "-c", `{ ${shellLine}\n} 2>&1`], 120_000),
		start: async (shellLine) => {
			await engine.docker(["exec", "--detach", container, "bash", "-c", shellLine]);
		},
		remove: async () => {
			await engine.docker(["rm", "--force", container]);
			rmSync(volume, { recursive: true, force: true });
		},
	};
}

function readEnvironment(home: string): string[] {
	const homeReference = "$" + "{REPL_HOME}";
	const file = join(import.meta.dirname, "../environment.json");
	const presets = z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(file, "utf8")));
	return Object.entries({ REPL_HOME: home, ...presets }).map(
		([name, value]) => `${name}=${value.replaceAll(homeReference, home)}`,
	);
}

function changeOwner(path: string, userId: number): void {
	chownSync(path, userId, userId);
	if (!lstatSync(path).isDirectory()) return;
	for (const name of readdirSync(path)) changeOwner(join(path, name), userId);
}

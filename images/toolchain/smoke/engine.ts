/** A Docker Engine with the toolchain image in it, for tests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runCommand } from "@repldock/service";
import { buildToolchain } from "../build.ts";

export interface TestEngine {
	/** Runs the docker command line against this engine and returns what it printed. */
	docker(commandArguments: readonly string[], timeoutMs?: number): Promise<string>;
	/** The imported toolchain image. */
	image: string;
	/** What the engine adds to the user ids of containers (0 without user-namespace remapping). */
	firstUserId: number;
	stop(): Promise<void>;
}

/**
 * Uses the engine at TOOLCHAIN_TEST_DOCKER_HOST when that is set, else starts a private one (root only) that ends with `stop`.
 * The archive comes from TOOLCHAIN_TEST_CACHE (default: the product's own cache) and is built when it is not there.
 */
export async function startTestEngine(): Promise<TestEngine> {
	const { hash, archive } = await buildToolchain({
		cacheDirectory: process.env.TOOLCHAIN_TEST_CACHE ?? "/var/cache/repldock",
		onProgress: (line) => console.error(line),
	});
	const image = `toolchain-test:${hash}`;
	const givenHost = process.env.TOOLCHAIN_TEST_DOCKER_HOST;
	const engine = givenHost === undefined ? await startPrivateEngine() : { host: givenHost, stop: async () => {} };
	const docker = (commandArguments: readonly string[], timeoutMs = 60_000): Promise<string> =>
		runCommand("docker", ["--host", engine.host, ...commandArguments], { timeoutMs });
	try {
		if ((await docker(["image", "ls", "--quiet", image])) === "") await docker(["import", archive, image], 600_000);
		const rootFolder = (await docker(["info", "--format", "{{.DockerRootDir}}"])).trim();
		const firstUserId = Number(/\/(\d+)\.\d+$/.exec(rootFolder)?.[1] ?? 0);
		return { docker, image, firstUserId, stop: engine.stop };
	} catch (error) {
		await engine.stop();
		throw error;
	}
}

async function startPrivateEngine(): Promise<{ host: string; stop: () => Promise<void> }> {
	const folder = mkdtempSync(join(tmpdir(), "toolchain-test-"));
	const host = `unix://${join(folder, "docker.sock")}`;
	const daemon = spawn(
		"dockerd",
		[
			...["--host", host, "--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
			...["--pidfile", join(folder, "pid"), "--bridge=none", "--iptables=false"],
		],
		{ stdio: ["ignore", "ignore", "pipe"] },
	);
	const closed = once(daemon, "close");
	const stop = async (): Promise<void> => {
		daemon.kill("SIGTERM");
		await closed;
		rmSync(folder, { recursive: true, force: true });
	};
	const lastLines: string[] = [];
	const ready = new Promise<boolean>((resolve) => {
		createInterface({ input: daemon.stderr }).on("line", (line) => {
			lastLines.push(line);
			if (lastLines.length > 20) lastLines.shift();
			if (line.includes("API listen on")) resolve(true);
		});
	});
	const started = await Promise.race([ready, closed.then(() => false)]);
	if (started) return { host, stop };
	await stop();
	throw new Error(`dockerd did not start:\n${lastLines.join("\n")}`);
}

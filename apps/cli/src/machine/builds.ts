import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { glob, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runCommand } from "@repldock/service";
import { z } from "zod";
import { repository, type Settings } from "../settings.ts";
import type { Toolchain } from "../supervisor/instance.ts";

const ToolchainResult = z.object({ hash: z.string(), archive: z.string() });

/** Builds the toolchain image's archive unless the cache holds it; progress lines are for people. */
export function buildToolchain(settings: Settings, onProgress: (line: string) => void): Promise<Toolchain> {
	return new Promise((resolve, reject) => {
		const child = spawn(process.execPath, [join(repository, "images/toolchain/build.ts"), "--cache", settings.cache], {
			stdio: ["ignore", "pipe", "pipe"],
		});
		let result = "";
		const lastLines: string[] = [];
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			result += text;
		});
		createInterface({ input: child.stderr }).on("line", (line) => {
			lastLines.push(line);
			if (lastLines.length > 20) lastLines.shift();
			onProgress(line);
		});
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) return resolve(ToolchainResult.parse(JSON.parse(result)));
			reject(new Error(`The toolchain image could not be built:\n${lastLines.join("\n")}`));
		});
	});
}

/** Where the site's pages of one state of their sources are. */
export interface SiteBuild {
	directory: string;
	/** False when it was there already. */
	built: boolean;
}

const buildsDirectory = join(repository, "apps/site/dist");
const buildsKeptMs = 7 * 24 * 3600 * 1000;

/**
 * Builds the site's pages unless the same sources were built before. Each state of the sources has a folder of its own:
 * an instance that runs from an older one keeps its files.
 */
export async function buildSite(): Promise<SiteBuild> {
	const directory = join(buildsDirectory, (await hashSources()).slice(0, 16));
	const stamp = join(directory, "complete");
	const isComplete = () => existsSync(stamp);
	if (isComplete()) {
		await utimes(stamp, new Date(), new Date());
		return { directory, built: false };
	}
	await withLock(join(repository, "node_modules/.repldock-site-build"), async () => {
		if (isComplete()) return;
		await rm(directory, { recursive: true, force: true });
		const astro = join(repository, "node_modules/astro/bin/astro.mjs");
		await runCommand(process.execPath, [astro, "build", "--outDir", directory], {
			directory: join(repository, "apps/site"),
			timeoutMs: 10 * 60_000,
			environment: { NODE_ENV: "production", ASTRO_TELEMETRY_DISABLED: "1" },
		});
		await writeFile(stamp, "");
		await removeOldBuilds();
	});
	return { directory, built: true };
}

/** `up` marks the build that it uses; those that no start used for a week are removed. */
async function removeOldBuilds() {
	for (const name of await readdir(buildsDirectory)) {
		const directory = join(buildsDirectory, name);
		const used = await stat(join(directory, "complete")).catch(() => stat(directory));
		if (Date.now() - used.mtimeMs > buildsKeptMs) await rm(directory, { recursive: true, force: true });
	}
}

async function hashSources(): Promise<string> {
	const patterns = [
		"package-lock.json",
		"apps/site/astro.config.mjs",
		"apps/site/{src,public}/**/*",
		"packages/{ui,protocol}/src/**/*",
	];
	const files: string[] = [];
	for await (const entry of glob(patterns, { cwd: repository, withFileTypes: true })) {
		if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
	}
	const hash = createHash("sha256");
	for (const file of files.sort())
		hash
			.update(file.slice(repository.length))
			.update("\0")
			.update(await readFile(file));
	return hash.digest("hex");
}

/** Two instances that start at once must not build into the same folder at once. A lock older than its time is stale. */
async function withLock(path: string, work: () => Promise<unknown>): Promise<void> {
	const deadline = Date.now() + 10 * 60_000;
	for (;;) {
		try {
			await mkdir(path);
			break;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
			if (Date.now() > deadline) await rm(path, { recursive: true, force: true });
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
	}
	try {
		await work();
	} finally {
		await rm(path, { recursive: true, force: true });
	}
}

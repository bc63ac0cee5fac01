import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
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

/** Builds the site's pages unless the last build was made from the same sources. @returns whether it built. */
export async function buildSite(): Promise<boolean> {
	const site = join(repository, "apps/site");
	const stamp = join(site, "dist/sources.sha256");
	const hash = await hashSources();
	const last = existsSync(stamp) ? await readFile(stamp, "utf8") : "";
	if (last === hash) return false;
	const lock = join(repository, "node_modules/.repldock-site-build");
	await withLock(lock, () =>
		runCommand(process.execPath, [join(repository, "node_modules/astro/bin/astro.mjs"), "build"], {
			directory: site,
			timeoutMs: 10 * 60_000,
			environment: { NODE_ENV: "production", ASTRO_TELEMETRY_DISABLED: "1" },
		}),
	);
	await writeFile(stamp, hash);
	return true;
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

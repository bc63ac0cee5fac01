import { readFile } from "node:fs/promises";
import type { Logger } from "@repldock/service";
import { z } from "zod";
import type { NodeConfig, NodePaths } from "./config.ts";
import type { Engine } from "./host.ts";

/** What every program in a container starts with; it belongs to the toolchain image's definition. */
export async function readToolchainEnvironment(): Promise<Record<string, string>> {
	const file = new URL("../../../images/toolchain/environment.json", import.meta.url);
	return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(file, "utf8")));
}

/** Imports the toolchain image unless the engine has it. */
export async function ensureImage(engine: Engine, config: NodeConfig, paths: NodePaths, log: Logger): Promise<void> {
	await engine.ping();
	if (await engine.hasImage(paths.image)) return;
	if (!config.toolchainArchive)
		throw new Error("REPLDOCK_TOOLCHAIN_ARCHIVE is not set, and the engine has no toolchain image.");
	log.info({ image: paths.image }, "importing the toolchain image");
	await engine.importImage(config.toolchainArchive, paths.image);
}

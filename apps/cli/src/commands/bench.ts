import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { testPackages } from "../machine/packages.ts";
import { repository, type Settings, UsageError } from "../settings.ts";
import { agentVariables } from "../supervisor/instance.ts";
import { runNode } from "./test.ts";
import { makeReady } from "./up.ts";

/** `bench NAME [PART] [--json]`: measures subject and baseline in one run, in a throw-away data directory. */
export async function bench(settings: Settings): Promise<number> {
	const [, name, ...parts] = settings.words;
	const program = join(repository, "bench", `${name}.bench.ts`);
	if (!name || !/^[a-z-]+$/.test(name) || !existsSync(program)) {
		const names = (await readdir(join(repository, "bench")))
			.filter((file) => file.endsWith(".bench.ts"))
			.map((file) => file.slice(0, -".bench.ts".length));
		throw new UsageError(`Say what to measure: ${names.sort().join(", ")}.`);
	}
	await makeReady(settings, Object.keys(testPackages));
	const size = settings.containers === undefined ? [] : ["--containers", settings.containers];
	// Parts of the agent that a bench runs itself have the agent's threads.
	return runNode([program, ...parts, ...(settings.json ? ["--json"] : []), ...size], settings, agentVariables);
}

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Settings, UsageError } from "../settings.ts";
import { say } from "../text.ts";

/** `logs [SERVICE] [--follow]`: the end of one program's log, or of all of them. */
export async function logs(settings: Settings): Promise<number> {
	if (!existsSync(settings.logs)) {
		say(`There are no logs in ${settings.logs}. Start Repldock with: ./repldock up`);
		return 1;
	}
	const names = (await readdir(settings.logs)).filter((name) => name.endsWith(".log")).map((name) => name.slice(0, -4));
	const [, wanted] = settings.words;
	if (wanted && !names.includes(wanted)) {
		throw new UsageError(`There is no log of ${wanted}. There is: ${names.sort().join(", ")}.`);
	}
	const files = (wanted ? [wanted] : names.sort()).map((name) => join(settings.logs, `${name}.log`));
	const lines = wanted ? "200" : "40";
	const child = spawn("tail", ["-n", lines, ...(settings.follow ? ["-F"] : []), "--", ...files], { stdio: "inherit" });
	return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 0)));
}

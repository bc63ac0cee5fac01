import { readStorage, storageFindings } from "../machine/storage.ts";
import type { Settings } from "../settings.ts";
import { readStatus } from "../supervisor/control.ts";
import { bold, dim, green, print, red, table, yellow } from "../text.ts";
import { sayNotRunning } from "./not-running.ts";

/** `status`: what runs. Exits with 1 when the instance is not up, so that scripts can ask. */
export async function status(settings: Settings): Promise<number> {
	const instance = await readStatus(settings.run);
	if (settings.json) print(JSON.stringify(instance ?? { phase: "stopped", data: settings.data, services: [] }));
	if (!instance) {
		if (!settings.json) await sayNotRunning(settings);
		return 1;
	}
	if (!settings.json) {
		const mark = instance.phase === "running" ? green("●") : red("●");
		print(`${mark} ${bold(instance.siteUrl)}  ${instance.phase}: ${instance.message}`);
		print(dim(`  data in ${instance.data}, since ${instance.startedAt}`));
		print();
		print(
			table([
				["service", "state", "pid", "restarts"],
				...instance.services.map(({ title, state, pid, restarts }) => [
					title,
					state,
					String(pid ?? ""),
					String(restarts),
				]),
			]),
		);
		if (instance.phase !== "running") return 1;
		// For people alone: programs that ask for the services ask often, and `doctor --json` has this too.
		const storage = await readStorage(settings).catch(() => null);
		if (storage) {
			print();
			const marks = { ok: dim("·"), warning: yellow("!"), wrong: red("✗") };
			for (const { name, state, detail } of storageFindings(storage)) print(`${marks[state]} ${name}: ${detail}`);
		} else {
			print(dim("  how storing stands cannot be said now: ./repldock doctor"));
		}
	}
	return instance.phase === "running" ? 0 : 1;
}

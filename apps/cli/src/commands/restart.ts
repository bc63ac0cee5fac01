import { type Settings, UsageError } from "../settings.ts";
import { callControl, readStatus } from "../supervisor/control.ts";
import { green, say } from "../text.ts";
import { sayNotRunning } from "./not-running.ts";

/** `restart SERVICE`: stops and starts one program while the others go on. */
export async function restart(settings: Settings): Promise<number> {
	const [, service] = settings.words;
	const instance = await readStatus(settings.run);
	if (!instance) {
		await sayNotRunning(settings);
		return 1;
	}
	const names = instance.services.map(({ name }) => name);
	if (!service || !names.includes(service)) throw new UsageError(`Say which of these to restart: ${names.join(", ")}.`);
	await callControl(settings.run, "POST", `/restart/${service}`);
	say(`${green("✓")} ${service} restarted`);
	return 0;
}

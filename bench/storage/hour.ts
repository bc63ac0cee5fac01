import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { r2Price } from "@repldock/objects";
import type { Figure } from "../support/report.ts";
import { makeTemplate, openLab } from "./lab.ts";
import { createWriter } from "./tree.ts";

const ticksOfAnHour = 720;
/** Measured, then taken twelvefold. */
const ticks = 60;
const fileBytes = 3_000;

/** What object stores bill for projects in which somebody types all the time: a node with one of them, and with ten. */
export async function measureHour(): Promise<Figure[]> {
	return [...(await measureActive(1)), ...(await measureActive(10))];
}

async function measureActive(active: number): Promise<Figure[]> {
	const lab = await openLab();
	try {
		const node = await lab.startNode();
		const template = await makeTemplate(lab);
		const ids: string[] = [];
		for (let at = 0; at < active; at += 1) {
			const { projectId, limits } = lab.place();
			await node.volumes.create(projectId, template, limits.diskBytes);
			ids.push(projectId);
		}
		await node.checkpoints.round();
		const before = { ...lab.store.counts };
		for (let tick = 0; tick < ticks; tick += 1) {
			const write = createWriter(tick);
			for (const id of ids) await writeFile(join(node.volumes.path(id), "main.py"), write(fileBytes));
			await node.checkpoints.round();
		}
		const { counts } = lab.store;
		const perProjectHour = ticksOfAnHour / ticks / active;
		const puts = (counts.puts - before.puts) * perProjectHour;
		const bytes = (counts.bytesPut - before.bytesPut) * perProjectHour;
		// Kept for a month as it was written: what thinning removes again is not taken off.
		const price = r2Price({ puts, gets: 0, lists: 0 }, bytes);
		const name = (what: string) => `${what} in an hour of typing, ${active} active on the node`;
		const figure = (what: string, value: number, unit: string) => ({ name: name(what), value, unit, runs: ticks });
		return [
			figure("PUTs of a project", puts, "PUTs"),
			figure("Bytes of a project", bytes / 1e6, "MB"),
			figure("Price of a project at R2's list prices", price.dollars * 100, "US cents"),
		];
	} finally {
		await lab.cleanup.run();
	}
}

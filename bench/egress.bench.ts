import { parseArgs } from "node:util";
import { measureChanges, measureCounters, measureProcessor, measureRepair } from "./egress/costs.ts";
import { openLab } from "./egress/lab.ts";
import {
	measureAll,
	measureConnections,
	measureJoin,
	measureLatency,
	measureOne,
	measureOwners,
} from "./egress/shares.ts";
import { type Figure, report } from "./support/report.ts";

/*
 * Fair shares of an uplink of 1 Gbit/s among real containers; the internet is a network namespace of the bench's own.
 * `--containers N` takes fewer than 500, for a short try.
 */
const { values } = parseArgs({ options: { json: { type: "boolean" }, containers: { type: "string" } } });
const count = Number(values.containers ?? 500);
if (!Number.isInteger(count) || count < 20 || count > 1000)
	throw new Error("--containers takes a number from 20 to 1000.");
const floodSeconds = 20;
const say = (line: string) => process.stderr.write(`${line}\n`);

const lab = await openLab(count, say);
const figures: Figure[] = [];
try {
	const measurements: (() => Promise<Figure | Figure[]>)[] = [
		() => measureCounters(lab),
		() => measureAll(lab, floodSeconds),
		() => measureOne(lab),
		() => measureJoin(lab),
		() => measureConnections(lab),
		() => measureLatency(lab),
		() => measureOwners(lab),
		() => measureChanges(lab),
		() => measureProcessor(lab),
		() => measureRepair(lab),
	];
	for (const measurement of measurements) {
		const measured = [await measurement()].flat();
		for (const { name, value, unit } of measured) say(`${name}: ${value.toPrecision(4)} ${unit}`);
		figures.push(...measured);
	}
} finally {
	await lab.cleanup.run();
}
report("egress", figures);
process.exit(0);

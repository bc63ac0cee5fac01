import { measureAttack } from "./edge/attack.ts";
import { report } from "./support/report.ts";

/** What an attack on one project costs the visitors of another one. */
const { quietP99Ms, attackedP99Ms } = await measureAttack();
const ratio = attackedP99Ms / quietP99Ms;
report("edge-attack", [
	{
		name: "p99 of a project while its neighbour is attacked",
		value: attackedP99Ms,
		unit: "ms",
		runs: 1,
		baseline: quietP99Ms,
		ratio,
		goal: "<= 2 x",
		met: ratio <= 2,
	},
]);

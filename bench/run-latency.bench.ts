import { measureCold } from "./run-latency/cold.ts";
import { measureWarm } from "./run-latency/warm.ts";
import { compared, report } from "./support/report.ts";
import { withInstance } from "./support/world.ts";

/*
 * Run pressed → first output byte of `print(1)` at the console's socket: with the container up against an exec by the
 * bare engine, and from a stopped project against `docker run`. Subject and baseline take turns.
 */
await withInstance(async (instance, site) => {
	const warm = await measureWarm(instance, site, 40);
	const cold = await measureCold(instance, site, 20);
	report("run-latency", [
		compared("Run to first byte, container up (bare: Engine API exec)", warm.subject, warm.baseline, "ms", 1.5),
		compared("Run to first byte, project stopped (bare: docker run)", cold.subject, cold.baseline, "ms", 1.3),
	]);
});

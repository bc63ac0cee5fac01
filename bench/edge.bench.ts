import { measureChurn } from "./edge/churn.ts";
import { openLab } from "./edge/lab.ts";
import { startApps, startEdge, startStaticProxy } from "./edge/servers.ts";
import { measureManyRoutes, measureThroughput } from "./edge/throughput.ts";
import { report } from "./support/report.ts";

/*
 * The edge between visitors and apps, each in a network namespace of the bench's own, with wrk as the visitor.
 */
const rounds = Number(process.env.REPLDOCK_BENCH_ROUNDS ?? 5);

const lab = await openLab();
try {
	await startApps(lab);
	await startStaticProxy(lab);
	const edge = await startEdge(lab);
	report("edge", [
		...(await measureThroughput(lab, edge, rounds)),
		...(await measureManyRoutes(lab, edge, rounds)),
		...(await measureChurn(lab, edge)),
	]);
} finally {
	await lab.cleanup.run();
}

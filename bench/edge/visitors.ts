import { Agent, request } from "node:http";

/*
 * A program of its own, run in the visitors' place: visits apps at a steady pace and checks that each answers with the
 * name that it should. Arguments, as JSON: { address, port, apps: [{ host, body }], perSecond, seconds }.
 * Prints { requests, failed, misrouted, p50Ms, p99Ms }.
 */
interface Plan {
	address: string;
	port: number;
	apps: { host: string; body: string }[];
	perSecond: number;
	seconds: number;
}

const plan = JSON.parse(process.argv[2] ?? "null") as Plan;
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const tookMs: number[] = [];
let failed = 0;
let misrouted = 0;

function visit({ host, body }: Plan["apps"][number]): Promise<void> {
	return new Promise((resolve) => {
		const startedAtMs = performance.now();
		const settle = (isFailure: boolean, text = "") => {
			tookMs.push(performance.now() - startedAtMs);
			if (isFailure) failed += 1;
			else if (text !== body) misrouted += 1;
			resolve();
		};
		const outgoing = request({ host: plan.address, port: plan.port, agent, headers: { host }, timeout: 5_000 });
		outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
		outgoing.on("error", () => settle(true));
		outgoing.on("response", (response) => {
			let text = "";
			response.on("data", (chunk) => {
				text += chunk;
			});
			response.on("error", () => settle(true));
			response.on("end", () => settle(response.statusCode !== 200, text));
		});
		outgoing.end();
	});
}

const startedAtMs = performance.now();
const total = plan.perSecond * plan.seconds;
const visits: Promise<void>[] = [];
await new Promise<void>((resolve) => {
	const timer = setInterval(() => {
		const due = Math.min(total, ((performance.now() - startedAtMs) / 1000) * plan.perSecond);
		while (visits.length < due) {
			const app = plan.apps[(visits.length * 7919) % plan.apps.length];
			if (app) visits.push(visit(app));
		}
		if (visits.length < total) return;
		clearInterval(timer);
		resolve();
	}, 5);
});
await Promise.all(visits);
agent.destroy();
tookMs.sort((a, b) => a - b);
const at = (share: number) => tookMs[Math.floor((tookMs.length - 1) * share)];
process.stdout.write(JSON.stringify({ requests: tookMs.length, failed, misrouted, p50Ms: at(0.5), p99Ms: at(0.99) }));

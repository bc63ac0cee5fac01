import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { NetworkAlert, TrafficHour } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { deliverAlerts } from "../src/alerts/deliver.ts";
import { openDatabase } from "../src/store/database.ts";
import { tidyTraffic } from "../src/store/traffic.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { dialIn, type FakeNode } from "./support/fake-node.ts";
import { createWorld, type Instance, siteUrl, type World } from "./support/site.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const thisHour = Math.floor(Date.now() / hourMs);
const metricsToken = "a-token-for-metrics";

let world: World;
let instance: Instance;
let administrator: Client;
let owner: Client;
let node: FakeNode;

beforeAll(async () => {
	world = await createWorld({ REPLDOCK_METRICS_TOKEN: metricsToken });
	instance = await world.startInstance();
	administrator = await instance.administrator();
	owner = await instance.signedUp("Owner");
	node = await dialIn(world, instance);
});
afterAll(() => world?.stop());

async function make(name: string, visibility = "private"): Promise<{ id: string; slug: string }> {
	return (await owner.post("/api/v1/projects", { template: "python", name, visibility })).body;
}

const line = (projectId: string, hour: number, sentBytes: number): TrafficHour => ({
	projectId,
	generation: 1,
	hour,
	sentBytes,
	sentPackets: 1,
	droppedPackets: 0,
	receivedBytes: 2 * sentBytes,
	receivedPackets: 2,
	refusedPackets: 3,
});

/** Sends lines as the last ones of their hour, and waits until they are kept. */
async function tell(ledger: string, ...hours: TrafficHour[]): Promise<void> {
	const answers = node.kept().length;
	node.send({ type: "trafficHours", ledger, over: true, hours });
	await eventually(async () => expect(node.kept().length).toBe(answers + 1));
}

const sentBytes = async (projectId: string) => {
	const { body } = await owner.get(`/api/v1/projects/${projectId}/traffic`);
	return [body.today.sentBytes, body.month.sentBytes];
};

test("a node's ledger is added up by book and hour, however often and in what order it is told", async () => {
	const { id } = await make("Ledger");
	const [one, two] = [randomUUID(), randomUUID()];
	await tell(one, line(id, thisHour, 100));
	await tell(one, line(id, thisHour, 400));
	await tell(one, line(id, thisHour, 100));
	await tell(two, line(id, thisHour, 50), line(randomUUID(), thisHour, 7));
	expect(await sentBytes(id)).toEqual([450, 450]);
	expect(node.kept().at(-1)).toEqual({ type: "trafficKept", hours: [thisHour] });
	const { body } = await owner.get(`/api/v1/projects/${id}/traffic`);
	expect(body.today).toMatchObject({ receivedBytes: 900, refusedPackets: 6 });
});

test("only who may edit a project sees what it sent", async () => {
	const { id } = await make("Open", "public");
	const stranger = await instance.signedUp("Stranger");
	expect((await stranger.get(`/api/v1/projects/${id}/traffic`)).status).toBe(403);
	expect((await instance.client().get(`/api/v1/projects/${id}/traffic`)).status).toBe(401);
	expect((await administrator.get(`/api/v1/projects/${id}/traffic`)).status).toBe(200);
});

test("old hours become days that no late line doubles, and old days go", async () => {
	const { id } = await make("Days");
	const database = openDatabase(
		{ host: world.cluster.socketDirectory, database: world.database, user: "repldock" },
		2,
		() => undefined,
	);
	onTestFinished(() => database.destroy());
	const book = randomUUID();
	const old = thisHour - 40 * 24;
	await tell(book, line(id, old, 100), line(id, old + 1, 11), line(id, thisHour, 5));
	const keep = { hoursForMs: 30 * dayMs, daysForMs: 60 * dayMs };
	await tidyTraffic(database, keep);
	await tidyTraffic(database, keep);
	// The node did not hear that the hour is kept.
	await tell(book, line(id, old, 100));
	await tidyTraffic(database, keep);
	const days = () => world.query("SELECT sum(sent_bytes)::int AS sum FROM traffic_days WHERE project_id = $1", [id]);
	const hours = () => world.query("SELECT sum(sent_bytes)::int AS sum FROM traffic_hours WHERE project_id = $1", [id]);
	expect(await days()).toEqual([{ sum: 111 }]);
	expect(await hours()).toEqual([{ sum: 5 }]);
	await tidyTraffic(database, { ...keep, daysForMs: 35 * dayMs });
	expect(await days()).toEqual([{ sum: null }]);
});

test("an administrator sees a node's top talkers, by project and owner; nobody else does", async () => {
	const [loud, quiet] = [await make("Loud"), await make("Quiet")];
	const rate = { refusedPackets: 1, connections: 4 };
	node.send({
		type: "traffic",
		traffic: {
			atMs: Date.now(),
			uplinkBitsPerSecond: 1e9,
			floorBitsPerSecond: 1e8,
			sentBitsPerSecond: 12_000,
			receivedBitsPerSecond: 0,
			refusedPackets: 2,
			top: [
				{ projectId: loud.id, sentBitsPerSecond: 9_000, receivedBitsPerSecond: 0, ...rate },
				{ projectId: randomUUID(), sentBitsPerSecond: 2_000, receivedBitsPerSecond: 0, ...rate },
				{ projectId: quiet.id, sentBitsPerSecond: 1_000, receivedBitsPerSecond: 0, ...rate },
			],
		},
	});
	const path = `/api/v1/nodes/${node.welcome.nodeId}/traffic`;
	const body = await eventually(async () => {
		const answer = await administrator.get(path);
		expect(answer.body.talkers).toHaveLength(2);
		return answer.body;
	});
	expect(body.now).toMatchObject({ uplinkBitsPerSecond: 1e9, sentBitsPerSecond: 12_000 });
	expect(body.talkers[0]).toMatchObject({
		project: { name: "Loud", ownerName: "Owner", restriction: null },
		sentBitsPerSecond: 9_000,
		connections: 4,
	});
	expect(body.owners).toMatchObject([{ name: "Owner", projects: 2, sentBitsPerSecond: 10_000 }]);
	expect((await owner.get(path)).status).toBe(403);
});

test("a restriction reaches the node at once, its owner reads the reason and answers, and it is lifted", async () => {
	const project = await make("Noisy", "public");
	const path = `/api/v1/admin/projects/${project.id}/network-restriction`;
	const reason = "It scans the neighbours. Tell us what it does.";
	expect((await owner.post(path, { kind: "closed", bitsPerSecond: null, reason })).status).toBe(403);
	expect((await administrator.post(path, { kind: "throttled", bitsPerSecond: null, reason })).status).toBe(400);
	expect((await administrator.post(path, { kind: "closed", bitsPerSecond: null, reason: "  " })).status).toBe(400);
	const throttled = { kind: "throttled", bitsPerSecond: 1_000_000, reason };
	expect((await administrator.post(path, throttled)).body.networkRestriction).toEqual(throttled);
	const restrictionOf = (placements: { projectId: string; network: { restriction: unknown } }[]) =>
		placements.find(({ projectId }) => projectId === project.id)?.network.restriction;
	await node.waitFor((placements) => restrictionOf(placements) != null);
	expect(restrictionOf(node.desired())).toEqual(throttled);

	const own = `/api/v1/projects/${project.id}`;
	expect((await owner.get(own)).body.networkRestriction.reason).toBe(reason);
	// It is nobody else's business, though the project is public.
	expect((await instance.client().get(own)).body).toMatchObject({ networkRestriction: null, networkAnswer: null });
	const text = "It was a test of mine. It is over.";
	expect((await owner.post(`${own}/network-answer`, { text })).body.networkAnswer).toBe(text);
	const view = await administrator.get(`/api/v1/nodes/${node.welcome.nodeId}/traffic`);
	expect(view.body.restricted).toMatchObject([{ id: project.id, restriction: throttled, answer: text }]);

	expect((await administrator.delete(path)).body).toMatchObject({ networkRestriction: null, networkAnswer: null });
	await node.waitFor((placements) => restrictionOf(placements) === null);
	expect((await owner.post(`${own}/network-answer`, { text })).status).toBe(403);
});

const alert = (projectId: string): NetworkAlert => ({
	id: randomUUID(),
	projectId,
	kind: "port-scan",
	detail: "Tried 900 ports.",
	atMs: Date.now(),
});

async function receiver(answers: number[]): Promise<{ url: string; bodies: Record<string, unknown>[] }> {
	const bodies: Record<string, unknown>[] = [];
	const server: Server = createServer(async (request, response) => {
		let text = "";
		for await (const chunk of request.setEncoding("utf8")) text += chunk;
		bodies.push(JSON.parse(text));
		response.writeHead(answers.shift() ?? 204).end();
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => void server.close());
	const { port } = server.address() as { port: number };
	return { url: `http://127.0.0.1:${port}/hook?key=very-secret`, bodies };
}

test("an alert is posted to the webhook once, however often a node tells it, and stands on the node's page", async () => {
	const { url, bodies } = await receiver([]);
	const project = await make("Scanner");
	const second = await world.startInstance({ REPLDOCK_ALERT_WEBHOOK: url });
	const other = await dialIn(world, second, "alerting");
	const told = alert(project.id);
	other.send({ type: "alerts", alerts: [told, alert(randomUUID())] });
	other.send({ type: "alerts", alerts: [told] });
	await eventually(async () => expect(other.kept()).toHaveLength(2));
	const path = `/api/v1/nodes/${other.welcome.nodeId}/traffic`;
	await eventually(async () => {
		const { alerts } = (await administrator.get(path)).body;
		expect(alerts).toMatchObject([{ id: told.id, project: { slug: project.slug } }]);
		expect(alerts[0].deliveredAt).not.toBeNull();
	}, 20_000);
	expect(bodies).toMatchObject([
		{ id: told.id, kind: "port-scan", owner: "Owner", project: { name: "Scanner" }, node: "alerting" },
	]);
	await second.close();
});

/** An alert that is due, and what the tests of its delivery need. */
async function dueAlert(name: string, answers: number[]) {
	const project = await make(name);
	const database = openDatabase(
		{ host: world.cluster.socketDirectory, database: world.database, user: "repldock" },
		2,
		() => undefined,
	);
	onTestFinished(() => database.destroy());
	const { url: webhook, bodies } = await receiver(answers);
	const { id } = alert(project.id);
	await world.query(
		`INSERT INTO network_alerts (id, node_id, project_id, kind, detail, noticed_at, deliver_at)
		SELECT $1, id, $2, 'mining', 'x', now(), now() FROM nodes LIMIT 1`,
		[id, project.id],
	);
	const log = createLog("site", "silent");
	const warn = vi.spyOn(log, "warn");
	const row = async () =>
		(
			await world.query("SELECT attempts, deliver_at IS NULL AS over, delivered_at FROM network_alerts WHERE id = $1", [
				id,
			])
		)[0];
	return { bodies, warn, row, options: { database, webhook, siteUrl, log } };
}

test("what the webhook does not take is posted again later: after errors, redirects and silence", async () => {
	const { bodies, row, options } = await dueAlert("Persistent", [503, 302]);
	const soon = { ...options, retry: { firstMs: 0, mostMs: 0, attempts: 9 } };
	const deaf = createServer().listen(0, "127.0.0.1");
	await once(deaf, "listening");
	const { port } = deaf.address() as { port: number };
	await new Promise((resolve) => deaf.close(resolve));
	expect(await deliverAlerts({ ...soon, webhook: `http://127.0.0.1:${port}/` })).toBe(0);
	expect(await deliverAlerts(soon)).toBe(0);
	// Not at once, where there is a time to wait.
	expect(await deliverAlerts({ ...soon, retry: { firstMs: 60_000, mostMs: 60_000, attempts: 9 } })).toBe(0);
	expect(await deliverAlerts(soon)).toBe(0);
	expect(bodies).toHaveLength(2);
	await world.query("UPDATE network_alerts SET deliver_at = now() WHERE deliver_at IS NOT NULL");
	expect(await deliverAlerts(soon)).toBe(1);
	expect(await deliverAlerts(soon)).toBe(0);
	expect(bodies).toHaveLength(3);
	expect(await row()).toMatchObject({ attempts: 4, over: true, delivered_at: expect.any(Date) });
});

test("what fails is given up after some attempts, and no log has the webhook's address", async () => {
	const { bodies, warn, row, options } = await dueAlert("Hopeless", [500, 500, 500]);
	const twice = { ...options, retry: { firstMs: 0, mostMs: 0, attempts: 2 } };
	for (let round = 0; round < 3; round += 1) expect(await deliverAlerts(twice)).toBe(0);
	expect(bodies).toHaveLength(2);
	expect(warn).toHaveBeenCalledTimes(2);
	expect(JSON.stringify(warn.mock.calls)).not.toContain("very-secret");
	expect(await row()).toEqual({ attempts: 2, over: true, delivered_at: null });
});

test("Prometheus reads figures with the token alone, and no label names a project or person", async () => {
	const ask = (headers: Record<string, string>) => fetch(`${instance.url}/metrics`, { headers });
	expect((await ask({})).status).not.toBe(200);
	expect((await ask({ authorization: "Bearer wrong" })).status).not.toBe(200);
	const answer = await ask({ authorization: `Bearer ${metricsToken}` });
	expect(answer.headers.get("content-type")).toContain("version=0.0.4");
	const text = await answer.text();
	expect(text).toMatch(/^repldock_site_nodes\{state="live"\} [1-9]/m);
	expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
	expect(text).not.toMatch(/Owner|Ledger|[0-9a-f]{8}-[0-9a-f]{4}/);
	for (const row of text.trim().split("\n")) expect(row).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+)$/);
	const bare = await world.startInstance({ REPLDOCK_METRICS_TOKEN: "" });
	const refused = await fetch(`${bare.url}/metrics`, { headers: { authorization: "Bearer " } });
	expect(refused.status).not.toBe(200);
	await bare.close();
});

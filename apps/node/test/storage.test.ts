import { randomUUID } from "node:crypto";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ObjectConfig, objectOptions, probePrefix } from "@repldock/objects";
import { unnamedObjectsPath } from "@repldock/protocol";
import { type CleanupStack, createCleanupStack, createLog, readConfig, renderMetrics } from "@repldock/service";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { startObjectServer } from "../../../tests/support/object-server.ts";
import { readLastCollection } from "../src/checkpoints/garbage-schedule.ts";
import { type NodeConfig, type NodePaths, nodePaths, readNodeConfig } from "../src/config.ts";
import { mountVolumes, unmountVolumes } from "../src/host/volume-mount.ts";
import { createVolumes } from "../src/host/volumes.ts";
import { volumeStore } from "../src/machine.ts";
import { garbageLookEveryMs, openStorage } from "../src/storage.ts";
import { reportStorage } from "../src/storage-report.ts";
import { desired } from "./checkpoints/rig.ts";
import { findLeftovers, makeScratch } from "./host/machine.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const silent = createLog("test", "error");
silent.level = "silent";
const owner = { uid: 300_000, gid: 300_001 };
const hourMs = 60 * 60 * 1000;

let directory: string;
let cleanup: CleanupStack;
let config: NodeConfig;
let paths: NodePaths;
let volumes: ReturnType<typeof createVolumes>;
/** Stands for the site: no manifest names any object. */
let siteUrl: string;

beforeAll(async () => {
	({ directory, cleanup } = await makeScratch());
	config = readNodeConfig({
		REPLDOCK_DATA: directory,
		REPLDOCK_CHECKPOINT_EVERY: "1h",
		REPLDOCK_VOLUMES_SIZE: "512M",
	});
	paths = nodePaths(config);
	const { store, mountPoint } = volumeStore(config, paths);
	await mountVolumes(store, mountPoint);
	cleanup.push("volumes", () => unmountVolumes(store, mountPoint));
	volumes = createVolumes({ mountPoint, owner });
	const site = createServer(async (request, response) => {
		const { keys } = JSON.parse(Buffer.concat(await request.toArray()).toString());
		response.statusCode = request.url === unnamedObjectsPath ? 200 : 404;
		response.end(JSON.stringify({ unnamed: keys, knowsSince: new Date(0).toISOString() }));
	});
	await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
	cleanup.push("site", () => new Promise<void>((resolve) => site.close(() => resolve())));
	siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});

afterAll(async () => {
	await cleanup.run();
	expect(await findLeftovers(directory)).toEqual([]);
});

const nodeId = randomUUID();

function open(objects: ObjectConfig, placement = desired({})) {
	return openStorage({
		config: { ...config, scrubEveryMs: undefined },
		paths,
		objects,
		site: { siteUrl, nodeToken: "x" },
		volumes,
		nodeId: () => nodeId,
		placement: () => placement,
		writeDocuments: async () => true,
		report: () => undefined,
		onDurability: () => undefined,
		onStoreId: () => undefined,
		log: silent,
	});
}

async function wasCollected(agoMs: number) {
	await writeFile(paths.garbage, JSON.stringify({ at: new Date(Date.now() - agoMs).toISOString(), removed: 0 }));
}

test("garbage is collected as soon as an agent runs when it is due, and by one that runs on, and so are left probes", async () => {
	const objects = readConfig(objectOptions, {});
	const { store } = await open(objects);
	const keys = [`packs/${nodeId}/000000000000001-0`, `${probePrefix}left`];
	async function leave() {
		for (const key of keys) {
			await store.put(key, Buffer.from("x"));
			const twoDaysAgo = new Date(Date.now() - 48 * hourMs);
			await utimes(join(directory, "objects", key), twoDaysAgo, twoDaysAgo);
		}
	}
	const left = async () => (await Promise.all(keys.map((key) => store.head(key)))).filter((found) => found !== null);
	const isCollected = () =>
		vi.waitFor(async () => expect((await readLastCollection(paths.garbage))?.removed).toBe(1), 30_000);

	await leave();
	await wasCollected(7 * hourMs);
	const agent = createCleanupStack(silent);
	onTestFinished(() => agent.run());
	vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
	onTestFinished(() => void vi.useRealTimers());
	(await open(objects)).begin(agent, new AbortController().signal);
	await isCollected();
	expect(await left()).toEqual([]);

	await leave();
	await wasCollected(7 * hourMs);
	vi.advanceTimersByTime(garbageLookEveryMs);
	await isCollected();
	expect(await left()).toEqual([]);
});

test("a store that lists but refuses what it is given shows in the report and in the metrics, until it takes it", async () => {
	const server = await startObjectServer();
	onTestFinished(() => server.close());
	const objects = readConfig(objectOptions, {
		REPLDOCK_OBJECTS: `s3://${server.bucket}/here`,
		REPLDOCK_S3_ENDPOINT: server.url,
		REPLDOCK_S3_REGION: server.credentials.region,
		REPLDOCK_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
		REPLDOCK_S3_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
	});
	const placement = desired({});
	const template = join(directory, "template");
	await mkdir(template);
	await writeFile(join(template, "main.py"), "print(1)\n");
	await volumes.create(placement.projectId, template, placement.limits.diskBytes);
	const { checkpoints, metrics } = await open(objects, placement);
	server.fail({ status: 403, code: "AccessDenied" }, { when: ({ method }) => method === "PUT" });
	await checkpoints.round();

	const report = await reportStorage(config, paths, objects);
	expect(report).toMatchObject({
		dirty: [{ projectId: placement.projectId, upTo: null, since: expect.any(String) }],
		store: {
			problem: expect.stringMatching(/refused.*AccessDenied.*PUT here\/probes/),
			failure: { at: expect.any(String), problem: expect.stringMatching(/refused.*AccessDenied/) },
		},
	});
	const told = renderMetrics(await metrics());
	expect(told).toMatch(/^repldock_node_checkpoint_lag_seconds [\d.]+$/m);
	expect(told).toMatch(/^repldock_node_volumes_not_durable 1$/m);
	expect(told).toMatch(/^repldock_node_object_store_failing 1$/m);
	const sizes = [/^repldock_node_volumes_size_bytes (\d+)$/m, /^repldock_node_volumes_free_bytes (\d+)$/m];
	const [size = 0, free = 0] = sizes.map((line) => Number(line.exec(told)?.[1]));
	expect(size).toBe(512 * 1024 * 1024);
	expect(free).toBeGreaterThan(0);
	expect(free).toBeLessThan(size);

	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * hourMs });
	const later = renderMetrics(await metrics());
	vi.useRealTimers();
	const lag = Number(/^repldock_node_checkpoint_lag_seconds ([\d.]+)$/m.exec(later)?.[1]);
	expect(lag).toBeGreaterThanOrEqual(7200);
	expect(lag).toBeLessThan(7300);

	server.recover();
	// Without the pause after a failure.
	await checkpoints.save(placement.projectId, "named", "Now");
	expect(await reportStorage(config, paths, objects)).toMatchObject({
		dirty: [],
		store: { objects: 1, problem: null, failure: null },
	});
	const well = renderMetrics(await metrics());
	expect(well).toMatch(/^repldock_node_checkpoint_lag_seconds 0$/m);
	expect(well).toMatch(/^repldock_node_volumes_not_durable 0$/m);
	expect(well).toMatch(/^repldock_node_object_store_failing 0$/m);
	// No probe stays.
	const kept = [/^here\/packs\//, /^here\/store-ids\//].map((key) => expect.stringMatching(key));
	expect([...server.state.objects.keys()].toSorted()).toEqual(kept);
});

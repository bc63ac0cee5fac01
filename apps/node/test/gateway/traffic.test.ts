import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TrafficNews } from "../../src/traffic/traffic.ts";
import { type GatewayRig, nextEvent, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

const news: TrafficNews = {
	reset: true,
	samples: [{ atMs: 1, sentBitsPerSecond: 2, receivedBitsPerSecond: 3 }],
	floorBitsPerSecond: 4,
	ceilingBitsPerSecond: 5,
	details: null,
};

test("an editor who follows traffic gets it until they follow no more", async () => {
	const socket = rig.socket(await rig.enter());
	await once(socket, "open");
	socket.send(JSON.stringify({ type: "followTraffic", follow: true }));
	await expect.poll(() => rig.trafficFollowers.size, { timeout: 20_000 }).toBe(1);
	const heard = nextEvent(socket, "traffic");
	rig.trafficFollowers.get(rig.projectId)?.(news);
	expect(await heard).toEqual({ type: "traffic", ...news });
	socket.send(JSON.stringify({ type: "followTraffic", follow: false }));
	await expect.poll(() => rig.trafficFollowers.size, { timeout: 20_000 }).toBe(0);
});

test("a socket that closes ends what it followed", async () => {
	const socket = rig.socket(await rig.enter());
	await once(socket, "open");
	socket.send(JSON.stringify({ type: "followTraffic", follow: true }));
	await expect.poll(() => rig.trafficFollowers.size, { timeout: 20_000 }).toBe(1);
	socket.close();
	await expect.poll(() => rig.trafficFollowers.size, { timeout: 20_000 }).toBe(0);
});

test("who may only look is told nothing of where a program connects to", async () => {
	const socket = rig.socket(await rig.enter({ rights: "view" }));
	await once(socket, "open");
	socket.send(JSON.stringify({ type: "followTraffic", follow: true }));
	const pong = nextEvent(socket, "pong");
	socket.send(JSON.stringify({ type: "ping", at: 7 }));
	await pong;
	expect(rig.trafficFollowers.size).toBe(0);
});

test("metrics are there for the bearer of the token alone", async () => {
	expect((await rig.ask("GET", "/metrics")).status).toBe(404);
	expect((await rig.ask("GET", "/metrics", { token: "wrong" })).status).toBe(404);
	const answer = await rig.ask("GET", "/metrics", { token: "metrics-token" });
	expect(answer.status).toBe(200);
	expect(answer.body.toString()).toMatch(/^process_resident_memory_bytes \d+$/m);
});

import { randomBytes, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findCable } from "../../src/host/cables.ts";
import type { Volumes } from "../../src/host-storage.ts";
import { createContainerNetwork } from "../../src/network/network.ts";
import { createShaping, type Shaping } from "../../src/network/shaping/shaping.ts";
import { createPlacements, type Placements } from "../../src/placements/placements.ts";
import { findLeftovers, image, type Machine, startMachine } from "../host/machine.ts";
import { log, placement } from "./rig.ts";

let machine: Machine;
let shaping: Shaping;
let placements: Placements;
let device: string;

beforeAll(async () => {
	machine = await startMachine();
	const id = randomBytes(3).toString("hex");
	device = `rqi${id}`;
	const { subnet, bridge } = machine.networkOptions;
	shaping = createShaping({
		device,
		strayDevice: `rqs${id}`,
		subnet,
		uplinkBitsPerSecond: 100e6,
		slots: 10,
		byOwner: true,
		ingressBitsPerSecond: undefined,
	});
	await shaping.ensure();
	const path = (projectId: string) => join(machine.directory, projectId);
	placements = createPlacements({
		engine: machine.engine,
		volumes: {
			create: async (projectId: string) => void (await mkdir(path(projectId), { recursive: true })),
			exists: async () => true,
			list: async () => [],
			path,
		} as unknown as Volumes,
		homes: machine.homes,
		image,
		templatesDirectory: "/",
		slots: 10,
		network: createContainerNetwork({
			parts: [shaping],
			traffic: shaping,
			subnet,
			findCable: (pid) => findCable(pid, bridge),
			log,
		}),
		stateFile: join(machine.directory, "desired.json"),
		onChange: () => {},
		log,
	});
}, 60_000);

afterAll(async () => {
	placements.close();
	await shaping.release();
	await machine.release();
	expect(await findLeftovers(device)).toEqual([]);
}, 60_000);

const runs = async (projectId: string) =>
	(await machine.engine.listContainers()).some((container) => container.projectId === projectId);

test("a container that runs is shaped, and leaves nothing in the kernel when it is stopped", async () => {
	const projectId = randomUUID();
	const bare = await runCommand("tc", ["class", "show", "dev", device]);
	await placements.apply([placement(projectId, "ada", { egressBitsPerSecond: 7e6 })]);
	const cable = await findCable(placements.running(projectId)?.pid ?? 0, machine.networkOptions.bridge);
	expect(await runCommand("tc", ["filter", "show", "dev", cable, "ingress"])).toContain(`to device ${device}`);
	expect(await runCommand("tc", ["class", "show", "dev", device])).toContain("rate 7Mbit ceil 7Mbit");
	await placements.stop(projectId);
	expect(await runCommand("tc", ["class", "show", "dev", device])).toBe(bare);
}, 60_000);

test("a container that cannot be shaped does not run, and runs once it can be", async () => {
	const projectId = randomUUID();
	await placements.apply([placement(projectId)]);
	await placements.stop(projectId);
	// Something else has the shaper's name.
	await runCommand("ip", ["link", "delete", "dev", device]);
	await runCommand("ip", ["link", "add", "name", device, "type", "bridge"]);
	try {
		await expect(placements.ensureRunning(projectId)).rejects.toMatchObject({ code: "container_failed" });
		expect(await runs(projectId)).toBe(false);
	} finally {
		await runCommand("ip", ["link", "delete", "dev", device]);
	}
	await placements.ensureRunning(projectId);
	expect(await runs(projectId)).toBe(true);
	await placements.stop(projectId);
}, 60_000);

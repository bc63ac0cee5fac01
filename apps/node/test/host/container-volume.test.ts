import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { mappedRunnerId, type RunnerId } from "../../src/host/subordinate-ids.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import { execute, findLeftovers, type Machine, type StartedContainer, startMachine } from "./machine.ts";

const projectId = randomUUID();
let machine: Machine;
let mountPoint: string;
let store: VolumeStore;
let owner: RunnerId;
let volumes: ReturnType<typeof createVolumes>;
let container: StartedContainer;

beforeAll(async () => {
	machine = await startMachine();
	mountPoint = join(machine.directory, "volumes");
	store = { kind: "image", file: join(machine.directory, "volumes.img"), bytes: 1e9 };
	owner = await mappedRunnerId();
	await mountVolumes(store, mountPoint);
	volumes = createVolumes({ mountPoint, owner });
	const seed = join(machine.directory, "seed");
	await mkdir(seed);
	await writeFile(join(seed, "seeded"), "from the seed");
	await volumes.create(projectId, seed, 20 * 1024 * 1024);
	container = await machine.startContainer({ projectId, volumePath: volumes.path(projectId) });
});

afterAll(async () => {
	await machine.removeContainer(container);
	await volumes.remove(projectId);
	await unmountVolumes(store, mountPoint);
	expect(await findLeftovers(mountPoint)).toEqual([]);
	await machine.release();
});

const run = async (script: string) => (await execute(machine.engine, container.id, ["bash", "-c", script])).output;

test("container and agent see each other's files, and either may change what the other made", async () => {
	const files = openProjectFiles(volumes.path(projectId), owner);
	expect(await run("cat seeded; echo more >> seeded; mkdir -p made/inside; echo program > made/inside/file")).toBe(
		"from the seed",
	);
	expect(String(await files.readFile("seeded", { maxBytes: 100 }))).toBe("from the seedmore\n");
	await files.writeFile("made/inside/file", "agent\n");
	await files.makeDirectory("uploads");
	expect(await run("cat made/inside/file; echo again > made/inside/file; touch uploads/x; cat made/inside/file")).toBe(
		"agent\nagain\n",
	);
	await files.remove("made");
});

test("a program that fills its volume is told, and the person can make room again", async () => {
	expect(await run("dd if=/dev/urandom of=big bs=1000000 count=40 2>&1")).toContain("Disk quota exceeded");
	await openProjectFiles(volumes.path(projectId), owner).remove("big");
});

test("a program cannot make subvolumes, which would have no quota, and other ioctls work", async () => {
	const create = 'open(F, "<", "."); my $a = pack("q a4088", 0, "inner"); print ioctl(F, 0x5000940e, $a) ? "made" : $!';
	const share = 'open(A, "<", "seeded"); open(B, ">", "twin"); print ioctl(B, 0x40049409, fileno(A)) ? "shared" : $!';
	const pending = 'pipe R, W; syswrite W, "abc"; my $n = pack "i", 0; ioctl(R, 0x541b, $n); print unpack "i", $n';
	const perl = async (program: string) => (await execute(machine.engine, container.id, ["perl", "-e", program])).output;
	expect(await perl(create)).toBe("Operation not permitted");
	expect(await perl(share)).toBe("shared");
	expect(await perl(pending)).toBe("3");
});

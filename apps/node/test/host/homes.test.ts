import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHomes, mountHomes } from "../../src/host/homes.ts";
import { mappedRunnerId } from "../../src/host/subordinate-ids.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "../../src/host/volume-mount.ts";
import { createVolumes } from "../../src/host/volumes.ts";
import { execute, findLeftovers, type Machine, type StartedContainer, startMachine } from "./machine.ts";

const place = "/home/runner/demo";
const megabyte = 1024 * 1024;
/** Numbers of system calls. */
const calls =
	process.arch === "arm64"
		? { umount: 39, mount: 40, unshare: 97, pivot: 41, open: 428, move: 429, attributes: 442 }
		: { umount: 166, mount: 165, unshare: 272, pivot: 155, open: 428, move: 429, attributes: 442 };
let machine: Machine;
let mountPoint: string;
let store: VolumeStore;
let volumes: ReturnType<typeof createVolumes>;
let seed: string;

beforeAll(async () => {
	machine = await startMachine();
	mountPoint = join(machine.directory, "volumes");
	store = { kind: "image", file: join(machine.directory, "volumes.img"), bytes: 1e9 };
	await mountVolumes(store, mountPoint);
	volumes = createVolumes({ mountPoint, owner: await mappedRunnerId() });
	seed = join(machine.directory, "seed");
	await mkdir(seed);
	await writeFile(join(seed, "seeded"), "from the seed");
});

afterAll(async () => {
	for (const { id } of await machine.engine.listContainers()) await machine.engine.removeContainer(id);
	await machine.homes.keepOnly(new Set());
	await unmountVolumes(store, mountPoint);
	await machine.release();
	expect(await findLeftovers(machine.directory)).toEqual([]);
});

async function makeVolume(): Promise<string> {
	const projectId = randomUUID();
	await volumes.create(projectId, seed, 20 * megabyte);
	return projectId;
}

const volumeOf = (projectId: string, { pid }: StartedContainer) => ({
	slug: "demo",
	volumePath: volumes.path(projectId),
	pid,
});

/** In a folder that is there without a volume. */
async function run({ id }: StartedContainer, script: string): Promise<string> {
	const command = ["bash", "-c", `cd /; ${script}`];
	return (await execute(machine.engine, id, command, { workingDirectory: "/" })).output;
}

const mountsOf = async ({ pid }: StartedContainer) =>
	(await readFile(`/proc/${pid}/mountinfo`, "utf8")).split("\n").filter((line) => line.includes(" /home/runner"));

test("a container that runs without a volume gets it, sees its files and its quota, and loses it again", async () => {
	const projectId = await makeVolume();
	const container = await machine.startWithoutVolume();
	expect(await run(container, `ls -A /home/runner; cat ${place}/seeded 2>&1`)).toContain("No such file");

	await machine.homes.fill(container.home, volumeOf(projectId, container));
	expect(await run(container, `cat ${place}/seeded; echo kept > ${place}/made; stat -c %u:%g ${place}/made`)).toBe(
		"from the seed1000:1000\n",
	);
	expect(await readFile(join(volumes.path(projectId), "made"), "utf8")).toBe("kept\n");
	expect(await stat(join(volumes.path(projectId), "made"))).toMatchObject(await mappedRunnerId());
	const fill = `dd if=/dev/urandom of=${place}/big bs=1000000 count=40 2>&1`;
	expect(await run(container, fill)).toContain("Disk quota exceeded");
	const [, mount] = await mountsOf(container);
	expect(mount).toMatch(new RegExp(` /${projectId} ${place} rw,nosuid,nodev,noatime `));

	await machine.homes.empty(container.home);
	expect(await run(container, `ls -A /home/runner`)).toBe("");
	expect(await mountsOf(container)).toHaveLength(1);
	// And again another one, as a container would that has been used before.
	const other = await makeVolume();
	await machine.homes.fill(container.home, volumeOf(other, container));
	await machine.homes.fill(container.home, volumeOf(other, container));
	expect(await mountsOf(container)).toHaveLength(2);
	expect(await run(container, `ls -A ${place}`)).toBe("seeded\n");
	await machine.removeContainer(container);
	expect((await findLeftovers(machine.directory)).filter((line) => line.includes(container.home))).toEqual([]);
});

test("without its volume a container writes nowhere, and no program starts in the project's folder", async () => {
	const projectId = await makeVolume();
	const container = await machine.startContainer({ volumePath: volumes.path(projectId) });
	expect((await execute(machine.engine, container.id, ["id", "-u"])).output).toBe("1000\n");
	// As if somebody had unmounted it by hand: the folder that it was mounted on comes to light.
	const { homes, directory } = machine;
	await runCommand("umount", ["--lazy", join(directory, "homes", container.home, "demo")]);
	const tries = `
		cd ${place} && echo got in
		for name in ${place}/x /home/runner/x /home/x; do (echo lost > $name) && echo wrote $name; mkdir $name.d && echo made $name.d; done
		perl -e 'print "changed\\n" if chmod(0777, "${place}") || chmod(0777, "/home/runner") || rename("${place}", "/home/runner/y")'`;
	expect(await run(container, `(${tries}) 2>/dev/null`)).toBe("");
	const { exitCode, output } = await execute(machine.engine, container.id, ["id", "-u"]);
	expect(exitCode).not.toBe(0);
	expect(output).not.toContain("1000");
	await homes.fill(container.home, volumeOf(projectId, container));
	expect((await execute(machine.engine, container.id, ["cat", "seeded"])).output).toBe("from the seed");
	await machine.removeContainer(container);
});

test("a program cannot unmount, move, cover or copy its volume's mount, and sees no other container's", async () => {
	const [mine, other] = [await makeVolume(), await makeVolume()];
	const container = await machine.startContainer({ volumePath: volumes.path(mine) });
	const neighbour = await machine.startContainer({ volumePath: volumes.path(other) });
	const program = `
		my ($home, $place) = ("/home/runner", "${place}");
		print "unmounted\\n" if syscall(${calls.umount}, $place, 2) == 0 or syscall(${calls.umount}, $home, 2) == 0;
		my $tmpfs = "tmpfs";
		print "covered\\n" if syscall(${calls.mount}, $tmpfs, $place, $tmpfs, 0, 0) == 0;
		my $tmp = "/tmp";
		print "bound\\n" if syscall(${calls.mount}, $tmp, $place, 0, 4096, 0) == 0;
		print "changed\\n" if syscall(${calls.mount}, 0, $place, 0, 4128, 0) == 0;
		print "unshared\\n" if syscall(${calls.unshare}, 0x10020000) == 0 or syscall(${calls.unshare}, 0x20000) == 0;
		print "pivoted\\n" if syscall(${calls.pivot}, $place, $place) == 0;
		print "copied\\n" if syscall(${calls.open}, -100, $place, 1) >= 0;
		print "moved\\n" if syscall(${calls.move}, -100, $place, -100, $tmp, 0) == 0;
		my $attributes = pack("q4", 0, 6, 0, 0);
		print "flags\\n" if syscall(${calls.attributes}, -100, $place, 0, $attributes, 32) == 0;
		print "renamed\\n" if rename($place, "$home/other") or rename($place, "/tmp/other");
		print "removed\\n" if rmdir($place);
		print "linked\\n" if symlink("/etc", "$home/link") or mkdir("$home/mine");`;
	const { output } = await execute(machine.engine, container.id, ["perl", "-e", program]);
	expect(output).toBe("");
	const seen = `ls -A /home/runner; ls -A ${place}; cat /proc/self/mountinfo`;
	const { output: all } = await execute(machine.engine, container.id, ["bash", "-c", seen]);
	expect(all).toMatch(/^demo\nseeded\n/);
	expect(all).toContain(mine);
	expect(all).not.toContain(other);
	expect(await mountsOf(container)).toHaveLength(2);
	await machine.removeContainer(container);
	await machine.removeContainer(neighbour);
});

test("root of a container's own namespace, with every right there, finds nothing to write to below its volume", async () => {
	const container = await machine.startContainer({ volumePath: volumes.path(await makeVolume()) });
	const program = `
		my ($home, $place) = ("/home/runner", "${place}");
		my $attributes = pack("q4", 0, 6, 0, 0);
		print "loosened\n" if syscall(${calls.attributes}, -100, $place, 0, $attributes, 32) == 0;
		print "uncovered\n" if syscall(${calls.umount}, $place, 2) == 0;
		print "changed\n" if chmod(0777, $place) || chmod(0777, $home) || rename($place, "$home/other");
		print "wrote\n" if open(F, ">", "$place/x") || open(F, ">", "$home/x") || mkdir("$home/y") || mkdir("$place/y");
		print "entered\n" if chdir($place);`;
	const inside = [`--target=${container.pid}`, "--user", "--mount", "--", "/usr/bin/perl", "-e", program];
	// What it could do is take its own volume away, and only if it got there past seccomp.
	expect(await runCommand("nsenter", inside)).toBe("uncovered\n");
	await machine.removeContainer(container);
});

test("programs that sit in the volume hold nothing up, neither its end nor the volumes' own", async () => {
	const projectId = await makeVolume();
	const container = await machine.startContainer({ volumePath: volumes.path(projectId) });
	const sitting = await machine.engine.createExec(container.id, {
		command: ["bash", "-c", "exec 3> open; echo ready; read line; echo late >&3; echo later > new && echo wrote"],
		environment: {},
		workingDirectory: place,
		tty: true,
	});
	const { output, input } = await machine.engine.startExec(sitting.execId, true);
	let printed = "";
	output.on("data", (part: Buffer) => {
		printed += String(part);
	});
	await expect.poll(() => printed, { timeout: 30_000 }).toContain("ready");
	await machine.homes.empty(container.home);
	expect(await mountsOf(container)).toHaveLength(1);
	// What it has open stays the volume's: nothing is written beside it.
	input.write("\n");
	await expect.poll(() => printed, { timeout: 30_000 }).toContain("wrote");
	expect(await readFile(join(volumes.path(projectId), "new"), "utf8")).toBe("later\n");
	await machine.removeContainer(container);
});

test("a container has its volume over restarts of engine and agent; what no container has is cleared away", async () => {
	const { directory, homes } = machine;
	const projectId = await makeVolume();
	const container = await machine.startContainer({ volumePath: volumes.path(projectId) });
	const paused = await machine.startContainer({ volumePath: volumes.path(await makeVolume()) });
	await machine.engine.pauseContainer(paused.id);
	const lost = await machine.startContainer({ volumePath: volumes.path(await makeVolume()) });
	// Gone while no agent looks.
	await machine.engine.removeContainer(lost.id);
	await machine.restartEngine();

	const root = join(directory, "homes");
	await mountHomes(root);
	const again = createHomes(root);
	const listed = await machine.engine.listContainers();
	await again.keepOnly(new Set(listed.flatMap(({ home }) => home ?? [])));
	expect((await readdir(root)).sort()).toEqual([container.home, paused.home].sort());
	for (const one of [container, paused]) {
		const status = listed.find(({ id }) => id === one.id);
		expect(status).toMatchObject({ home: one.home, pid: one.pid });
		await again.fill(one.home, { slug: "demo", volumePath: one.volumePath, pid: one.pid });
		expect(await mountsOf(one)).toHaveLength(2);
	}
	expect((await execute(machine.engine, container.id, ["cat", "seeded"])).output).toBe("from the seed");
	// A container that was started anew by hand has lost it, and gets it.
	await machine.engine.stopContainer(container.id, 1_000);
	await homes.empty(container.home);
	const status = await machine.engine.startContainer(container.id);
	await again.fill(container.home, { slug: "demo", volumePath: container.volumePath, pid: status?.pid ?? 0 });
	expect((await execute(machine.engine, container.id, ["cat", "seeded"])).output).toBe("from the seed");
	await machine.removeContainer(container);
	await machine.removeContainer(paused);
});

test("a home is not filled for a container that does not see it, nor with a volume that is not there", async () => {
	const projectId = await makeVolume();
	const container = await machine.startWithoutVolume();
	const stranger = await machine.startWithoutVolume();
	const { homes } = machine;
	await expect(homes.fill(container.home, volumeOf(projectId, stranger))).rejects.toThrow("ENOENT");
	// Nor for one that has another volume in the same place.
	await homes.fill(stranger.home, volumeOf(await makeVolume(), stranger));
	await expect(homes.fill(container.home, volumeOf(projectId, stranger))).rejects.toThrow("does not see its volume");
	await expect(homes.fill(container.home, volumeOf(randomUUID(), container))).rejects.toThrow("ENOENT");
	for (const name of ["..", "", "../volumes"]) await expect(homes.empty(name)).rejects.toThrow("no home");
	await machine.removeContainer(container);
	await machine.removeContainer(stranger);
});

import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type CheckpointNode, type Cluster, startCluster } from "./rig.ts";

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 120_000 });

/** Under `./repldock test faults` as many as the promise says. */
const manyFiles = process.env.REPLDOCK_FAULTS === "long" ? 1_000_000 : 20_000;

/** Run as a program of the project would be, in its folder. */
const makeTree = `set -e
mkdir many && perl -e 'chdir "many"; for (1 .. ${manyFiles}) { my $d = int($_ / 1000); mkdir $d unless $_ % 1000 && $_ > 1; open F, ">", "$d/$_"; print F $_ }'
mkdir deep && perl -e 'chdir "deep"; for (1 .. 1000) { mkdir "d"; chdir "d" } open F, ">bottom"; print F "reached"'
perl -e '$n = "n" x 255; mkdir $n; open F, ">$n/$n"; print F "long"; open G, ">caf\\xe9"; print G "latin"; open H, ">a\\nb"; print H "line"'
truncate -s 1T sparse && printf end | dd of=sparse bs=1 seek=1000000000000 conv=notrunc status=none
echo shared > one && for i in $(seq 1 300); do ln one "same$i"; done
mkfifo pipe && perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1)'
cp /bin/true setuid && chmod 6755 setuid
ln -s loop loop && ln -s ../.. up && ln -s /etc/shadow shadow && ln -s . self
`;

let cluster: Cluster;
let one: CheckpointNode;
let two: CheckpointNode;

beforeAll(async () => {
	cluster = await startCluster({ volumeBytes: 6 * 1024 ** 3 });
	one = await cluster.startNode("one");
	two = await cluster.startNode("two", { uid: 400_000, gid: 400_001 });
});
afterAll(() => cluster.release());

/** Every name of a tree with its kind, mode, size and number of names; numbers of owners aside. */
async function describe(root: string): Promise<string> {
	const listed = await runCommand("find", [".", "-printf", "%y %m %s %n %l %P\\0"], {
		directory: root,
		timeoutMs: 600_000,
	});
	// A folder's size is the file system's own affair.
	return listed
		.split("\0")
		.map((line) => line.replace(/^(d \d+) \d+ \d+/, "$1"))
		.sort((one, other) => (one.replace("6755", "755") < other.replace("6755", "755") ? -1 : 1))
		.join("\n");
}

test(`a tree of ${manyFiles} files, holes, deep folders, loops, sockets and setuid bits comes back as it was, in any place`, async () => {
	const placement = cluster.place({ limits: { memoryBytes: 1, cpus: 1, pids: 8, diskBytes: 5 * 1024 ** 3 } });
	const { projectId } = placement;
	await one.volumes.create(projectId, cluster.template, placement.limits.diskBytes);
	const made = one.volumes.path(projectId);
	await runCommand("sh", ["-c", makeTree], { directory: made, timeoutMs: 600_000 });
	await one.checkpoints.round();
	await rm(join(made, "many/0"), { recursive: true });
	await one.checkpoints.round();
	expect(cluster.chainOf(projectId)).toHaveLength(2);
	// A terabyte of nothing costs nothing.
	const stored = cluster.chainOf(projectId).reduce((sum, { bytes }) => sum + bytes, 0);
	expect(stored).toBeLessThan(manyFiles * 120 + 2_000_000);

	await two.checkpoints.restore(cluster.place({ ...placement, generation: 2, stored: true }));
	const restored = two.volumes.path(projectId);
	// Setuid bits go with the old owner; on these file systems they mean nothing.
	expect(await describe(restored)).toBe((await describe(made)).replace("f 6755 ", "f 755 "));
	expect(await readFile(join(restored, "deep", "d/".repeat(1000), "bottom"), "utf8")).toBe("reached");
	const [sparse, shared] = await Promise.all(["sparse", "same7"].map((name) => lstat(join(restored, name))));
	expect(sparse).toMatchObject({ size: 1024 ** 4, uid: 400_000 });
	expect(sparse?.blocks).toBeLessThan(1000);
	expect(shared?.nlink).toBe(301);
	expect(await readdir(restored)).toContain("socket");
	await two.volumes.remove(projectId);
	expect(await two.volumes.exists(projectId)).toBe(false);
});

import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { ExportReady } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, inject, onTestFinished, test } from "vitest";
import { repldock } from "../support/instance.ts";
import type { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject } from "../support/world.ts";

const manyFiles = 50_000;

/** What a program can leave in its folder without any right. */
const makeTree = `set -e
mkdir many && (cd many && seq 1 ${manyFiles} | xargs touch)
mkdir deep && perl -e 'chdir "deep"; for (1 .. 1000) { mkdir "d"; chdir "d" } open F, ">bottom"; print F "reached"'
perl -e '$n = "n" x 255; mkdir $n; open F, ">$n/$n"; print F "long"; open G, ">caf\\xe9"; print G "latin"'
truncate -s 1T sparse
echo shared > one && for i in $(seq 1 500); do ln one "same$i"; done
mkfifo pipe && perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1)'
cp /bin/true setuid && chmod 6755 setuid
ln -s loop loop && ln -s ../.. up && ln -s /etc/shadow shadow && ln -s . self
echo made
`;

/** Highest memory that the agent ever used, in bytes. */
async function agentPeak(): Promise<number> {
	const output = await repldock(["status", "--json", "--data", inject("instance").data]);
	const { services } = JSON.parse(output) as { services: { name: string; pid: number }[] };
	const pid = services.find(({ name }) => name === "agent")?.pid;
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function saveExport(workspace: WorkspaceClient, file: string): Promise<ExportReady> {
	const body = JSON.stringify({ format: "tar.zst" });
	const ready = (await (await workspace.request("POST", "/export", body)).json()) as ExportReady;
	const answer = await fetch(workspace.gatewayUrl + ready.path);
	if (!answer.body) throw new Error("The export is empty.");
	await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(file));
	return ready;
}

test("a tree made to harm is listed, exported and removed, within bounded memory and while others are served", async () => {
	const { workspace } = await openProject("bash");
	const neighbour = await openProject("bash");
	const folder = await mkdtemp(join(tmpdir(), "repldock-trees-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	await workspace.write("make.sh", makeTree);
	await workspace.write(".replit", 'run = "bash make.sh"\n');
	expect((await workspace.runToEnd()).output).toContain("made");
	const peakBefore = await agentPeak();

	const top = await workspace.list();
	expect(top.entries.find(({ name }) => name === "pipe")?.kind).toBe("other");
	expect(top.entries.find(({ name }) => name === "loop")?.kind).toBe("link");
	expect((await workspace.list("many")).truncated).toBe(true);
	expect(await workspace.read(`deep/${"d/".repeat(1000)}bottom`)).toBe("reached");
	await expect(workspace.read("shadow")).rejects.toMatchObject({ status: 400 });

	const zip = workspace.request("POST", "/export", JSON.stringify({ format: "zip" }));
	await expect(zip).rejects.toMatchObject({ code: "file_too_large" });

	let exporting = true;
	const archive = join(folder, "archive.tar.zst");
	const exported = saveExport(workspace, archive).finally(() => {
		exporting = false;
	});
	let served = 0;
	while (exporting || served === 0) {
		await neighbour.workspace.write("alive.txt", String(served));
		expect(await neighbour.workspace.read("alive.txt")).toBe(String(served));
		served += 1;
	}
	expect((await exported).files).toBeGreaterThan(manyFiles);
	expect((await stat(archive)).size).toBeLessThan(20_000_000);
	const listed = await runCommand("tar", ["--zstd", "-tvf", archive]);
	expect(listed).toContain(` -> /etc/shadow`);
	expect(listed).toMatch(/^-rwxr-xr-x .* setuid$/m);
	expect(listed).toMatch(/^h.* link to /m);
	expect(listed).not.toMatch(/ (?:pipe|socket)$/m);
	expect(listed.match(/ many\/\d+$/gm)).toHaveLength(manyFiles);
	expect(await agentPeak()).toBeLessThan(peakBefore + 300_000_000);

	for (const { name } of (await workspace.list()).entries) {
		if (name !== "make.sh" && !name.includes("\uFFFD") && !name.startsWith("same")) await workspace.remove(name);
	}
	expect((await workspace.list()).entries.map(({ name }) => name)).not.toContain("many");
}, 240_000);

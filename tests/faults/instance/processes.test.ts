import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@repldock/service";
import { expect, inject, onTestFinished, test } from "vitest";
import { repldock } from "../../support/instance.ts";
import { eventually } from "../../support/wait.ts";
import { WorkspaceClient } from "../../support/workspace-client.ts";
import { openProject, site } from "../../support/world.ts";
import { expectDurable, expectKeystrokes } from "../support/checks.ts";
import { openInstanceObjects } from "../support/instance-objects.ts";
import { type Random, roundsTimeoutMs, runRounds } from "../support/rounds.ts";
import { openConnection } from "../support/socket-connection.ts";
import { createTypist } from "../support/typist.ts";

/** Says each number once it is on disk; a further run goes on where the last one ended. */
const program = `import os
out = os.open("numbers.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
n = len(open("numbers.txt").readlines())
while True:
    n += 1
    os.write(out, b"%d\\n" % n)
    os.fsync(out)
    print("number", n, flush=True)
`;

const victims = ["agent", "engine", "containerd", "edge", "postgres", "site", "holder"];

/** All of them in a random order, two or three to be killed at once. */
function inGroups(random: Random): string[][] {
	const left = [...victims];
	const next = () => left.splice(random.int(0, left.length - 1), 1)[0] as string;
	return [3, 2, 2].map((count) => Array.from({ length: count }, next));
}

interface Service {
	name: string;
	pid: number | null;
	state: string;
}

async function services(): Promise<Service[]> {
	const output = await repldock(["status", "--json", "--data", inject("instance").data]);
	return (JSON.parse(output) as { services: Service[] }).services;
}

async function kill(name: string) {
	const pidOf = async () => (await services()).find((service) => service.name === name)?.pid;
	const pid = await eventually(`${name}, to be killed`, pidOf);
	try {
		process.kill(pid, "SIGKILL");
	} catch (error) {
		// Killed a moment ago, and nobody has noticed yet.
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

test(
	"kill -9 of every program of a running instance: what was saved, fsynced or durable is there, and all of it comes back",
	async () => {
		const { project, workspace } = await openProject("python");
		await workspace.write("notes.txt", "");
		await workspace.write("main.py", program);
		const typist = createTypist("notes.txt");
		let connection = await openConnection(workspace);
		await typist.connect(connection);
		let console = await workspace.attach("console");
		await workspace.run();
		await eventually("the first number", () => /number 1\r?\n/.test(console.text));

		/** What the program was told by fsync, as far as its words came through to us. */
		const written = () => Math.max(0, ...[...console.text.matchAll(/number (\d+)\r?\n/g)].map(([, n]) => Number(n)));

		async function reconnect() {
			connection = await eventually("the events socket", () => openConnection(workspace).catch(() => null));
			await typist.connect(connection);
			console.close();
			console = await eventually("the console", () => workspace.attach("console").catch(() => null));
		}

		/** It does not outlive the engine, through which its output comes, and that is noticed a little later: then it is run again. */
		async function untilMoreNumbers(count: number) {
			const before = written();
			async function isThere() {
				if (console.state?.running === false) await workspace.run().catch(() => null);
				return written() >= before + count;
			}
			await eventually("more numbers", isThere, 60_000);
		}

		const objects = await openInstanceObjects(inject("instance").data);
		onTestFinished(() => objects.release());

		async function killAll(names: readonly string[], random: Random) {
			const stop = new AbortController();
			const typing = typist.type(random, stop.signal);
			try {
				await untilMoreNumbers(random.int(1, 40));
				for (const name of names) await kill(name);
				const fsynced = written();
				const saved = typist.saved();
				await eventually(
					"all programs",
					async () => (await services()).every(({ state }) => state === "running"),
					90_000,
				);
				const text = await eventually("the files", () => workspace.read("notes.txt").catch(() => null), 60_000);
				expectKeystrokes(text, saved, "saved, but not in the file");
				const numbers = await workspace.read("numbers.txt");
				expect(numbers.split("\n")).toEqual(expect.arrayContaining([String(fsynced)]));
				// A socket through a killed edge or agent is gone; pages connect anew.
				typist.lose();
				await reconnect();
			} finally {
				stop.abort();
				await typing;
			}
			await typist.untilSaved();
			expectKeystrokes(await workspace.read("notes.txt"), typist.all(), "typed, but not in the file");
			await expectDurable(objects, project.id, [typist]);
			await objects.expectNoLeaks();
		}

		await runRounds("kill -9 of every program of an instance", { short: 1, long: 12 }, async (random) => {
			for (const names of inGroups(random)) await killAll(names, random);
		});

		await untilMoreNumbers(1);
		const finishedAtMs = Date.now();
		await workspace.stop();
		await eventually("the last durable checkpoint", async () => {
			const { upTo } = (await workspace.currentState()).durability;
			return upTo !== null && Date.parse(upTo) > finishedAtMs;
		});
		await expectDurable(objects, project.id, [typist]);
		await objects.expectNoLeaks();
		const [notes, numbers] = await Promise.all([workspace.read("notes.txt"), workspace.read("numbers.txt")]);
		console.close();
		typist.lose();
		await site().stop(project.id);
		await eventually("the end of the container", async () => (await site().project(project.id)).state === "stopped");

		// The node loses its disk: all comes from the object store.
		const { data } = inject("instance");
		await runCommand("btrfs", ["subvolume", "delete", join(data, "volumes", project.id)]);
		await rm(join(data, "checkpoints.json"));
		await repldock(["restart", "agent", "--data", data]);
		const restored = await eventually("the project", () => WorkspaceClient.open(site(), project.id).catch(() => null));
		expectKeystrokes(await restored.read("notes.txt"), typist.durable(), "durable, but not restored");
		expect(await restored.read("notes.txt")).toBe(notes);
		expect(await restored.read("numbers.txt")).toBe(numbers);
		restored.close();
	},
	roundsTimeoutMs,
);

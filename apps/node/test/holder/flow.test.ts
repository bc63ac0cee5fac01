import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ptyWindowBytes } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Rig, startRig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

const megabyte = 1024 * 1024;
const outputBytes = 100 * megabyte;

/** Prints lines of 64 bytes that all differ; `seededDigest` says what a terminal makes of them. */
const seeded = `stty -onlcr; exec perl -e '$| = 0; for my $i (0 .. ${outputBytes / 64 - 1}) { printf "%063d\\n", $i * 2654435761 % 4294967291 }'`;

function seededDigest(): string {
	const hash = createHash("sha256");
	for (let first = 0; first < outputBytes / 64; first += 4096) {
		const lines: string[] = [];
		for (let i = first; i < first + 4096; i += 1) {
			lines.push(`${((i * 2654435761) % 4294967291).toString().padStart(63, "0")}\n`);
		}
		hash.update(lines.join(""));
	}
	return hash.digest("hex");
}

/** Long lines: the kernel's terminal handles each line by itself, which makes short ones slow. */
const flood = `exec perl -e '$l = "y" x 500 . "\\n"; print $l while 1'`;

async function holderMemory(): Promise<number> {
	const status = await readFile(`/proc/${rig.holder.pid}/status`, "utf8");
	return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

test("100 MB of output over many broken connections lose and double no byte", async () => {
	const project = await rig.project();
	const hash = createHash("sha256");
	let received = 0;
	let breakAt = 0;
	const onBytes = (bytes: Buffer) => {
		// What comes after the break is as lost as if the line had been cut.
		if (received >= breakAt) return;
		hash.update(bytes);
		received += bytes.length;
	};
	let started = false;
	while (received < outputBytes) {
		breakAt = Math.min(outputBytes, received + 7 * megabyte);
		const screen = await project.connect({ after: received, onBytes });
		if (!started) await project.start(seeded);
		started = true;
		await screen.untilReceived(breakAt - received);
		expect(screen.events[0]).toMatchObject({ type: "attached", reset: false });
		screen.terminate();
		await screen.closed;
	}
	expect(received).toBe(outputBytes);
	expect(hash.digest("hex")).toBe(seededDigest());
});

test("a client is never sent more than the window beyond what it acknowledged", async () => {
	const project = await rig.project();
	const screen = await project.connect({ acknowledges: false });
	await project.start(flood);
	await screen.untilReceived(ptyWindowBytes);
	screen.acknowledge();
	await screen.untilReceived(2 * ptyWindowBytes);
	expect(screen.received).toBe(2 * ptyWindowBytes);
	await rig.client.stop({ projectId: project.id, ptyId: "console" });
});

/** Far below the output that passes, and above what garbage that is not collected yet comes to on a busy machine. */
const mostGrowth = 40 * megabyte;

test("a stalled tab neither grows the holder nor keeps another from the output, and jumps ahead when it returns", async () => {
	const project = await rig.project();
	const [stalled, lively] = await Promise.all([project.connect({ acknowledges: false }), project.connect()]);
	await project.start(flood);
	await lively.untilReceived(20 * megabyte);
	const before = await holderMemory();
	await lively.untilReceived(150 * megabyte);
	expect((await holderMemory()) - before).toBeLessThan(mostGrowth);
	expect(stalled.received).toBe(ptyWindowBytes);
	stalled.acknowledge();
	const jumped = await stalled.untilEvent((event) => event.type === "attached" && event.offset > 0);
	expect(jumped).toMatchObject({ reset: true });
	await rig.client.stop({ projectId: project.id, ptyId: "console" });
});

test("a program goes on when its only tab stalls", async () => {
	const project = await rig.project();
	const screen = await project.connect({ acknowledges: false });
	await project.start(`perl -e 'print "y" x 500 . "\\n" for 1 .. 2e4'; exit 7`);
	await screen.untilReceived(ptyWindowBytes);
	const { ptys } = await project.until(({ ptys }) => ptys[0]?.running === false && ptys[0].exitCode === 7);
	expect(ptys[0]?.runTimeMs).toBeGreaterThan(4_000);
});

test("with nobody attached a flood goes on, keeps the newest lines and grows nothing", async () => {
	const project = await rig.project();
	const before = await holderMemory();
	await project.start(`perl -e 'print "line $_\\n" for 1 .. 4e5'`);
	await project.until(({ ptys }) => ptys[0]?.exitCode === 0);
	expect((await holderMemory()) - before).toBeLessThan(16 * megabyte);
	const screen = await project.connect();
	await screen.untilText("line 400000\r\n");
	expect(screen.text.startsWith("line ") || screen.received > 65_536).toBe(true);
	expect(screen.events[0]).toMatchObject({ type: "attached", reset: true });
});

test("Ctrl-C in a flood shows the prompt before the rest of it, to a slow browser too", async () => {
	const project = await rig.project();
	await project.start("", { ptyId: "t1", kind: "terminal", command: ["/bin/bash", "--norc"] });
	// Processes 8 MB a second: a busy browser.
	const screen = await project.connect({ ptyId: "t1", acknowledges: false });
	const timer = setInterval(() => screen.acknowledge(), 60);
	const times: number[] = [];
	for (let round = 0; round < 5; round += 1) {
		await screen.untilText("ready> ");
		screen.clear();
		const from = screen.received;
		screen.type(`(${flood})\r`);
		await screen.untilReceived(from + 3 * megabyte);
		screen.clear();
		const pressedAt = performance.now();
		screen.type("\x03");
		await screen.untilText("ready> ");
		times.push(performance.now() - pressedAt);
	}
	clearInterval(timer);
	console.log("ctrl-c to prompt, ms:", times.map(Math.round).join(" "));
	// Drawn to its end the flood would take this browser much longer.
	expect(Math.min(...times)).toBeLessThan(2_000);
});

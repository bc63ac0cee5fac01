import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ProjectRig, type Rig, startRig } from "./rig.ts";
import type { Screen } from "./screen.ts";

vi.setConfig({ testTimeout: 120_000 });

let rig: Rig;
const paces: Record<string, number> = {};

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

const kilobyte = 1024;
const megabyte = 1024 * kilobyte;
/** What passes before anybody feels a pace. */
const burstBytes = 2 * megabyte;
const slowest = 64 * kilobyte;
const flood = `exec perl -e '$l = "y" x 500 . "\\n"; print $l while 1'`;
const shell = { ptyId: "t1", kind: "terminal" as const, command: ["/bin/bash", "--norc"] };

async function pacedProject(bytesPerSecond: number): Promise<ProjectRig> {
	const project = await rig.project();
	paces[project.id] = bytesPerSecond;
	await rig.client.setPaces({ bytesPerSecond: null, projects: paces });
	return project;
}

const stop = (project: ProjectRig) => rig.client.stop({ projectId: project.id, ptyId: "console" });

async function sentBytes(project: ProjectRig): Promise<number> {
	const counts = await rig.client.sent();
	return counts.find(({ projectId }) => projectId === project.id)?.sentBytes ?? 0;
}

test("a flood takes its project's pace, whatever other projects do, and its bytes are counted", async () => {
	const pace = 300 * kilobyte;
	const [project, free] = [await pacedProject(pace), await rig.project()];
	const [screen, other] = [await project.connect(), await free.connect()];
	const fromMs = performance.now();
	await Promise.all([project.start(flood), free.start(flood)]);
	await screen.untilReceived(burstBytes + 5 * pace);
	const seconds = (performance.now() - fromMs) / 1000;
	const paced = screen.received - burstBytes;
	console.log(`pace ${pace}, after the burst ${paced} bytes in ${seconds.toFixed(1)} s`);
	expect(paced).toBeLessThan(1.05 * pace * seconds);
	expect(paced).toBeGreaterThan(0.2 * pace * seconds);
	await other.untilReceived(20 * megabyte);
	expect(await rig.client.sent()).toContainEqual(expect.objectContaining({ projectId: project.id, waits: true }));
	await Promise.all([stop(project), stop(free)]);
	await screen.untilEvent(
		(event) => event.type === "state" && event.state.startedAtMs !== null && !event.state.running,
	);
	const counted = await sentBytes(project);
	expect(counted).toBeGreaterThanOrEqual(screen.received);
	// Events are counted too.
	expect(counted).toBeLessThan(screen.received + 10 * kilobyte);
});

test("typing in another terminal does not wait behind a flood, and Ctrl-C in the flood shows the prompt", async () => {
	const project = await pacedProject(slowest);
	await project.start("", shell);
	await project.start("", { ...shell, ptyId: "t2" });
	const [flooded, typed] = [await project.connect({ ptyId: "t1" }), await project.connect({ ptyId: "t2" })];
	await Promise.all([flooded.untilText("ready> "), typed.untilText("ready> ")]);
	flooded.type(`(${flood})\r`);
	await flooded.untilReceived(burstBytes + slowest);
	const echoes: number[] = [];
	for (let round = 0; round < 10; round += 1) {
		typed.clear();
		const pressedAt = performance.now();
		typed.type(`echo marker-$((${round}+100))\r`);
		await typed.untilText(`marker-${round + 100}\r\n`);
		echoes.push(performance.now() - pressedAt);
	}
	const interrupts: number[] = [];
	for (let round = 0; round < 3; round += 1) {
		const pressedAt = performance.now();
		flooded.clear();
		flooded.type("\x03");
		await flooded.untilText("ready> ");
		interrupts.push(performance.now() - pressedAt);
		const from = flooded.received;
		flooded.type(`(${flood})\r`);
		await flooded.untilReceived(from + slowest);
	}
	console.log("line to its output, ms:", echoes.map(Math.round).join(" "));
	console.log("ctrl-c to prompt, ms:", interrupts.map(Math.round).join(" "));
	// The window of output before the prompt would take eight seconds.
	expect(Math.min(...echoes)).toBeLessThan(500);
	expect(Math.min(...interrupts)).toBeLessThan(2_500);
	await Promise.all(["t1", "t2"].map((ptyId) => rig.client.stop({ projectId: project.id, ptyId })));
});

test("viewers of one project share its pace, and none of them counts as a page that hangs", async () => {
	const project = await pacedProject(slowest);
	const screens = await Promise.all(Array.from({ length: 8 }, () => project.connect()));
	await project.start(`perl -e '$l = "y" x 500 . "\\n"; print $l for 1 .. 2e4'`);
	const received = () => screens.map((screen) => screen.received);
	const sum = () => received().reduce((all, bytes) => all + bytes, 0);
	await vi.waitUntil(() => sum() >= burstBytes + 4 * slowest, { timeout: 60_000, interval: 50 });
	const before = received();
	// Longer than a page may hang; one of eight acknowledges every 16 seconds.
	const from = sum();
	await vi.waitUntil(() => sum() >= from + 14 * slowest, { timeout: 90_000, interval: 50 });
	const shares = received().map((bytes, index) => bytes - (before[index] ?? 0));
	expect(Math.min(...shares)).toBeGreaterThan(0.6 * Math.max(...shares));
	for (const { events } of screens) expect(events.filter(({ type }) => type === "attached")).toHaveLength(1);
	const [running] = (await rig.client.list()).projects.filter(({ projectId }) => projectId === project.id);
	expect(running?.ptys[0]?.running).toBe(true);
	await stop(project);
});

test("a pace loses and doubles no byte over broken connections, and the end of a run comes after the last one", async () => {
	const lines = 65_536;
	const bytes = 64 * lines;
	const line = (index: number) => `${((index * 2654435761) % 4294967291).toString().padStart(63, "0")}\n`;
	const expected = createHash("sha256");
	for (let index = 0; index < lines; index += 1) expected.update(line(index));
	const project = await pacedProject(600 * kilobyte);
	const hash = createHash("sha256");
	let received = 0;
	let breakAt = 0;
	const onBytes = (part: Buffer) => {
		// What comes after the break is as lost as if the line had been cut.
		if (received >= breakAt) return;
		hash.update(part);
		received += part.length;
	};
	let screen: Screen | undefined;
	while (received < bytes) {
		const isFirst = screen === undefined;
		breakAt = Math.min(bytes, received + megabyte);
		screen = await project.connect({ after: received, onBytes });
		if (isFirst) {
			await project.start(
				`stty -onlcr; exec perl -e 'for my $i (0 .. ${lines - 1}) { printf "%063d\\n", $i * 2654435761 % 4294967291 }'`,
			);
		}
		await vi.waitUntil(() => received >= breakAt, { timeout: 60_000, interval: 5 });
		expect(screen.events[0]).toMatchObject({ type: "attached", reset: false });
		if (received === bytes) break;
		screen.terminate();
		await screen.closed;
	}
	// It may have ended before the last connection began.
	const ended = await screen?.untilEvent((event) => "state" in event && !event.state.running);
	expect(ended).toMatchObject({ state: { exitCode: 0 } });
	expect(received).toBe(bytes);
	expect(hash.digest("hex")).toBe(expected.digest("hex"));

	const whole = await pacedProject(600 * kilobyte);
	let before = -1;
	const watching = await whole.connect();
	const isEnd = watching
		.untilEvent((event) => event.type === "state" && event.state.exitCode === 4)
		.then(() => {
			before = watching.received;
		});
	await whole.start(`perl -e '$l = "y" x 999 . "\\r"; print $l for 1 .. 4000'; exit 4`);
	await isEnd;
	expect(before).toBe(4_000_000);
});

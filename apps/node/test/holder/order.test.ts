import type { PtyEvent } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test, vi } from "vitest";
import { createPace } from "../../src/holder/pace.ts";
import { createPty } from "../../src/holder/pty.ts";
import { engineOfOneProgram, startMessage } from "./engine.ts";

/** What one viewer is sent, output as text and events by what they say, in the order of sending. */
async function viewed(
	use: (
		pty: ReturnType<typeof createPty>,
		print: (text: string) => void,
		viewer: { type(text: string): void; untilSent(text: string): Promise<void> },
	) => Promise<void>,
	pace = createPace(() => undefined),
) {
	const sent: string[] = [];
	const { engine, output } = engineOfOneProgram();
	const pty = createPty({
		engine,
		log: createLog("test", "silent"),
		ptyId: "terminal-1",
		kind: "terminal",
		pace: () => pace,
		onChange: () => undefined,
	});
	const ended = Promise.withResolvers<void>();
	const attachment = pty.attach({
		socket: {
			sendText(text) {
				const event = JSON.parse(text) as PtyEvent;
				sent.push(event.type === "state" ? `running ${event.state.running}` : event.type);
				if (event.type === "closed" || (event.type === "state" && !event.state.running)) ended.resolve();
			},
			sendBytes: (bytes) => void sent.push(bytes.toString()),
			pauseInput: () => undefined,
			resumeInput: () => undefined,
			close: () => undefined,
		},
		mayEdit: true,
		after: undefined,
	});
	await pty.start(startMessage);
	await use(pty, (text) => void output.write(text), {
		type: (text) => attachment.input(Buffer.from(text)),
		untilSent: (text) => vi.waitUntil(() => sent.join("").includes(text), { timeout: 30_000 }).then(() => undefined),
	});
	output.end();
	await ended.promise;
	pty.close();
	return sent;
}

test("who waits for the end of a run has all its output when it is told", async () => {
	const sent = await viewed(async (_pty, print) => {
		print("one\n");
		print("two\n");
	});
	expect(sent).toEqual(["attached", "running true", "one\n", "two\n", "running false", "closed"]);
});

test("a terminal that is closed shows its last output first", async () => {
	const sent = await viewed(async (pty) => {
		pty.write("one\n");
		pty.write("two\n");
		pty.close();
	});
	expect(sent.slice(0, 5)).toEqual(["attached", "running true", "one\r\n", "two\r\n", "closed"]);
});

/** Its burst is used up, and most of what may be sent ahead of its time. */
function exhausted() {
	const pace = createPace(() => undefined);
	pace.setRate(64 * 1024);
	pace.sent(2 * 1024 * 1024 + 60 * 1024);
	return pace;
}

const flood = "x".repeat(20_000);

test("what waits for the pace comes before the end of its run, and of titles in it the last one is enough", async () => {
	const sent = await viewed(async (_pty, print) => {
		print(flood);
		for (const title of ["a", "b", "c"]) print(`\x1b]0;${title}\x07`);
	}, exhausted());
	const isEvent = (each: string) => /^[a-z ]+$/.test(each) && !each.startsWith("x");
	expect(sent.filter((each) => !isEvent(each)).join("")).toMatch(/^x{20000}.*a.*b.*c.$/s);
	expect(sent.filter(isEvent)).toEqual(["attached", "running true", "running true", "running false", "closed"]);
	expect(sent.slice(-2)).toEqual(["running false", "closed"]);
});

test("a terminal that is closed shows what waits for the pace first", async () => {
	const sent = await viewed(async (pty) => {
		pty.write(flood);
		pty.close();
	}, exhausted());
	expect(sent.at(-1)).toBe("closed");
	expect(sent.filter((each) => each.startsWith("x")).join("")).toBe(flood);
});

test("after Ctrl-C the prompt comes, though more was left out than a page may be sent without its answer", async () => {
	const sent = await viewed(async (_pty, print, viewer) => {
		for (let part = 0; part < 100; part += 1) print(flood);
		await viewer.untilSent("x");
		viewer.type("\x03");
		print("ready> ");
		await viewer.untilSent("ready> ");
	}, exhausted());
	expect(sent).toContain("skipped");
	expect(sent.join("").length).toBeLessThan(500_000);
});

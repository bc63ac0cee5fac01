import type { PtyEvent } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import { createPty } from "../../src/holder/pty.ts";
import { engineOfOneProgram, startMessage } from "./engine.ts";

/** What one viewer is sent, output as text and events by what they say, in the order of sending. */
async function viewed(use: (pty: ReturnType<typeof createPty>, print: (text: string) => void) => Promise<void>) {
	const sent: string[] = [];
	const { engine, output } = engineOfOneProgram();
	const pty = createPty({
		engine,
		log: createLog("test", "silent"),
		ptyId: "terminal-1",
		kind: "terminal",
		onChange: () => undefined,
	});
	const ended = Promise.withResolvers<void>();
	pty.attach({
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
	await use(pty, (text) => void output.write(text));
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

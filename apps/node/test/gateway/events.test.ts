import { once } from "node:events";
import { mkdir, readFile, rename, watch, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { documentTextName } from "@repldock/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import { readFrame, requestFrame, updateFrame } from "../../src/workspace/documents/frames.ts";
import { ending, type GatewayRig, nextEvent, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
const at = (path: string) => join(rig.root, path);
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

async function connect(change = {}): Promise<WebSocket> {
	const socket = rig.socket(await rig.enter(change));
	await nextEvent(socket, "state");
	return socket;
}

const send = (socket: WebSocket, command: unknown) => socket.send(JSON.stringify(command));

/** Opens a document over a socket, with a Y.Doc that follows it. */
async function open(socket: WebSocket, path: string): Promise<{ doc: Y.Doc; document: number; text(): string }> {
	const opened = nextEvent(socket, "documentOpened", (event) => event.path === path);
	send(socket, { type: "openDocument", path });
	const { document } = await opened;
	const doc = new Y.Doc();
	const synced = new Promise<void>((resolve) => {
		socket.on("message", (data: Buffer, isBinary: boolean) => {
			if (!isBinary) return;
			const frame = readFrame(data);
			if (frame.kind !== "update" || frame.document !== document) return;
			Y.applyUpdate(doc, frame.update, "server");
			resolve();
		});
	});
	doc.on("update", (update: Uint8Array, origin: unknown) => {
		if (origin !== "server") socket.send(updateFrame(document, update));
	});
	socket.send(requestFrame(document, Y.encodeStateVector(doc)));
	await synced;
	return { doc, document, text: () => doc.getText(documentTextName).toString() };
}

test("two pages edit one file, and it is on disk soon", async () => {
	await writeFile(at("main.py"), "print(1)\n");
	const [ada, ben] = [await connect(), await connect({ sub: "u2", name: "Ben" })];
	const [first, second] = [await open(ada, "main.py"), await open(ben, "main.py")];
	const changes = watch(rig.root, { signal: AbortSignal.timeout(40_000) })[Symbol.asyncIterator]();
	const tookMs: number[] = [];
	for (let round = 1; round <= 5; round += 1) {
		const startedAtMs = performance.now();
		const arrived = new Promise((resolve) => second.doc.once("update", resolve));
		first.doc.getText(documentTextName).insert(0, `#${round}\n`);
		await arrived;
		while (!(await readFile(at("main.py"), "utf8")).includes(`#${round}\n`)) await changes.next();
		tookMs.push(performance.now() - startedAtMs);
	}
	await changes.return?.();
	expect(second.text()).toBe(first.text());
	expect(await readFile(at("main.py"), "utf8")).toBe(first.text());
	console.log(`edit → on disk: ${tookMs.map((time) => time.toFixed(0)).join(", ")} ms`);
});

test("everybody sees who is there", async () => {
	const ada = await connect();
	const both = nextEvent(ada, "state", ({ state }) => state.people.length === 2);
	const ben = await connect({ sub: "u2", name: "Ben" });
	expect((await both).state.people.map(({ name }) => name)).toEqual(["Ada", "Ben"]);
	const alone = nextEvent(ada, "state", ({ state }) => state.people.length === 1);
	ben.close();
	await alone;
});

test("watched folders tell of their changes, also after they were replaced", async () => {
	await mkdir(at("src"));
	const socket = await connect();
	send(socket, { type: "watch", directories: ["", "src"] });
	const told = () => nextEvent(socket, "filesChanged", ({ directories }) => directories.includes("src"));
	// The watch itself tells once when it is in place.
	await told();
	const changed = told();
	await writeFile(at("src/a.py"), "");
	await changed;
	const replaced = told();
	await rename(at("src"), at("old"));
	await mkdir(at("src"));
	await replaced;
	const again = told();
	await writeFile(at("src/b.py"), "");
	await again;
});

test("`.replit` decides what is hidden and what opens first, as soon as it changes", async () => {
	const socket = await connect();
	const changed = nextEvent(socket, "state", ({ state }) => state.entrypoint === "start.py");
	await writeFile(at("start.py"), "");
	await writeFile(at(".replit"), 'entrypoint = "start.py"\nhidden = ["*.lock"]\n');
	expect((await changed).state.hidden).toEqual(["*.lock"]);
});

test("listening ports appear with their addresses", async () => {
	const socket = await connect();
	rig.listening.push({ port: 3000, loopbackOnly: false }, { port: 5432, loopbackOnly: true });
	const shown = nextEvent(socket, "state", ({ state }) => state.ports.length === 2);
	const token = await rig.enter();
	await writeFile(at("main.py"), "");
	await rig.ask("POST", `/projects/${rig.projectId}/run`, { token, body: "{}" });
	expect((await shown).state.ports).toEqual([
		{ port: 3000, externals: [3000], url: "http://my-app.localhost:8080/", main: true },
		{ port: 5432, externals: [], url: null, main: false },
	]);
});

test("nonsense closes the socket that sent it and no other", async () => {
	const good = await connect();
	await writeFile(at("a.txt"), "text");
	const { document } = await open(good, "a.txt");
	for (const frame of ["no json", '{"type":"unknown"}', Uint8Array.of(document, 9), Uint8Array.of()]) {
		const bad = await connect({ sub: "u2" });
		const closed = ending(bad);
		bad.send(frame);
		expect(await closed).toBe(1008);
	}
	const bad = await connect({ sub: "u2" });
	await open(bad, "a.txt");
	const closed = ending(bad);
	bad.send(updateFrame(document, Uint8Array.of(9, 9, 9, 9)));
	expect(await closed).toBe(1008);
	const pong = nextEvent(good, "pong");
	send(good, { type: "ping", at: 7 });
	expect(await pong).toEqual({ type: "pong", at: 7 });
});

test("people who only look, and one person alone, cannot take all places of a project", async () => {
	const viewers = ["v1", "v2", "v3"].map((sub) => ({ sub, rights: "view" as const }));
	for (const viewer of viewers) {
		const token = await rig.enter(viewer);
		const opened = Array.from({ length: 64 }, () => once(rig.socket(token), "open"));
		await Promise.all(opened);
		expect(await ending(rig.socket(token))).toBe(429);
	}
	expect(await ending(rig.socket(await rig.enter({ sub: "v4", rights: "view" })))).toBe(429);
	await connect();
});

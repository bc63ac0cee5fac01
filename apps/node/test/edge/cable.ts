import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { runCommand } from "@repldock/service";

/** What a client in the visitors' namespace does for a test. */
export interface Errand {
	kind: "http" | "https" | "tcp" | "udp" | "socket";
	address: string;
	port: number;
	/** The Host header. */
	host?: string;
	path?: string;
}

/** `error` is the code of a connection that failed, such as ECONNREFUSED. */
export interface Outcome {
	error?: string;
	status?: number;
	body?: string;
}

/** A network of two: a machine and its visitor, each in a namespace of its own, joined by a cable. */
export interface Cable {
	machine: string;
	/** Addresses of the machine: its own, by which it goes out, and two for apps. */
	own: string;
	apps: string;
	otherApps: string;
	visitor: string;
	/** The visitor does something and says what came of it. */
	send(errand: Errand): Promise<Outcome>;
	/** Runs a program on the machine to its end. */
	run(program: string, words: readonly string[], input?: string): Promise<string>;
	/** Runs a script on the machine (an ES module, with the arguments in `values`) until the cable is released. */
	serve(script: string, values: unknown): Promise<void>;
	release(): Promise<void>;
}

/** Reads errands as JSON lines and prints what came of them; answers everybody at TCP port 9. */
const visitorScript = `
import { connect, createServer } from "node:net";
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
createServer((socket) => socket.end("answered")).listen(9, "0.0.0.0");
const ask = (by, { address, port, host, path, ...more }) => new Promise((resolve, reject) => {
	const outgoing = by({ host: address, port, path: path ?? "/", agent: false, headers: { host }, ...more }, async (response) => {
		let body = "";
		for await (const chunk of response) body += chunk;
		resolve({ status: response.statusCode, body });
	});
	outgoing.on("error", reject).end();
});
const errands = {
	tcp: ({ address, port }) => new Promise((resolve, reject) => {
		const socket = connect(port, address);
		let body = "";
		socket.on("data", (chunk) => { body += chunk; });
		socket.on("error", reject);
		socket.on("close", () => resolve({ body }));
	}),
	http: (errand) => ask(request, errand),
	https: (errand) => ask(secureRequest, { ...errand, servername: errand.host, rejectUnauthorized: false }),
	udp: ({ address, port }) => new Promise((resolve, reject) => {
		const socket = createSocket("udp4");
		socket.on("error", reject);
		socket.on("message", (body) => resolve({ body: String(body) }));
		socket.connect(port, address, () => socket.send("x"));
	}),
	socket: ({ address, port, host }) => new Promise((resolve, reject) => {
		const socket = new WebSocket("ws://" + address + ":" + port + "/", { headers: { host } });
		socket.on("error", reject);
		socket.on("open", () => socket.send("hello"));
		socket.on("message", (body) => { resolve({ body: String(body) }); socket.close(); });
	}),
};
for await (const line of createInterface({ input: process.stdin })) {
	const { id, ...errand } = JSON.parse(line);
	errands[errand.kind](errand).catch((error) => ({ error: error.code ?? String(error) })).then((outcome) => console.log(JSON.stringify({ id, ...outcome })));
}`;

export async function layCable(): Promise<Cable> {
	const name = randomBytes(3).toString("hex");
	const machine = `rdm-${name}`;
	const visitor = `rdv-${name}`;
	const network = `198.18.${randomInt(1, 255)}`;
	const ip = (...words: string[]) => runCommand("ip", words);
	const children: ChildProcess[] = [];

	function inside(namespace: string, program: string, words: readonly string[]): [string, string[]] {
		return ["nsenter", [`--net=/run/netns/${namespace}`, program, ...words]];
	}

	async function start(namespace: string, script: string, values: unknown): Promise<ChildProcess> {
		const preamble = `const values = ${JSON.stringify(values)};\n`;
		const words = ["--input-type=module", "--eval", preamble + script];
		const child = spawn(...inside(namespace, process.execPath, words), { stdio: ["pipe", "pipe", "inherit"] });
		children.push(child);
		return child;
	}

	async function release() {
		for (const child of children) {
			if (child.exitCode !== null || child.signalCode !== null) continue;
			const ended = once(child, "exit");
			child.kill("SIGKILL");
			await ended;
		}
		for (const namespace of [machine, visitor]) {
			await ip("netns", "delete", namespace).catch(() => undefined);
		}
	}

	try {
		await ip("netns", "add", machine);
		await ip("netns", "add", visitor);
		await ip("link", "add", "cable", "netns", machine, "type", "veth", "peer", "name", "cable", "netns", visitor);
		for (const last of [1, 2, 3]) await ip("-n", machine, "address", "add", `${network}.${last}/24`, "dev", "cable");
		await ip("-n", visitor, "address", "add", `${network}.9/24`, "dev", "cable");
		for (const namespace of [machine, visitor]) {
			await ip("-n", namespace, "link", "set", "lo", "up");
			await ip("-n", namespace, "link", "set", "cable", "up");
		}
		await ip("-n", machine, "route", "add", "default", "via", `${network}.9`);
	} catch (error) {
		await release();
		throw error;
	}

	const client = await start(visitor, visitorScript, null);
	const waiting = new Map<number, (outcome: Outcome) => void>();
	let lastId = 0;
	if (client.stdout) {
		createInterface({ input: client.stdout }).on("line", (line) => {
			const { id, ...outcome } = JSON.parse(line) as Outcome & { id: number };
			waiting.get(id)?.(outcome);
			waiting.delete(id);
		});
	}

	return {
		machine,
		own: `${network}.1`,
		apps: `${network}.2`,
		otherApps: `${network}.3`,
		visitor: `${network}.9`,
		send(errand) {
			lastId += 1;
			const id = lastId;
			client.stdin?.write(`${JSON.stringify({ id, ...errand })}\n`);
			return new Promise((resolve) => waiting.set(id, resolve));
		},
		run: (program, words, input = "") => runCommand(...inside(machine, program, words), { input }),
		async serve(script, values) {
			const child = await start(machine, script, values);
			// The script says so when it is ready.
			await Promise.race([
				once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data"),
				once(child, "exit").then(() => Promise.reject(new Error("a server of the test ended"))),
			]);
		},
		release,
	};
}

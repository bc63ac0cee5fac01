import { Agent, request } from "node:http";
import { connect } from "node:net";

/**
 * The visitors of attack.ts, as a program of its own in the edge's network namespace:
 *   steady PORT   asks a neighbour at a steady pace, prints the 99th percentile of its waits in milliseconds
 *   attack PORT   attacks another project until it is ended
 */
const [role, portText] = process.argv.slice(2);
const port = Number(portText);

const steadyPerSecond = 200;
const steadySeconds = 6;

/** At a pace that does not wait for answers, or a slow edge would be asked less often. */
async function steady(): Promise<void> {
	const agent = new Agent({ keepAlive: true, maxSockets: 32 });
	const waits: number[] = [];
	const open: Promise<void>[] = [];
	const startedAtMs = performance.now();
	for (let index = 0; index < steadyPerSecond * steadySeconds; index += 1) {
		const dueAtMs = startedAtMs + (index * 1000) / steadyPerSecond;
		const waitMs = dueAtMs - performance.now();
		if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
		open.push(
			ask(agent, "neighbour.apps.test").then((status) => {
				if (status !== 200) throw new Error(`The neighbour was answered ${status}.`);
				waits.push(performance.now() - dueAtMs);
			}),
		);
	}
	await Promise.all(open);
	agent.destroy();
	waits.sort((one, other) => one - other);
	process.stdout.write(String(waits[Math.floor(waits.length * 0.99)]));
}

function ask(agent: Agent, host: string): Promise<number> {
	return new Promise((resolve, reject) => {
		const outgoing = request({ host: "127.0.0.1", port, agent, headers: { host } }, (incoming) => {
			incoming.resume();
			incoming.on("end", () => resolve(incoming.statusCode ?? 0));
		});
		outgoing.on("error", reject);
		outgoing.end();
	});
}

/** What a slow connection says before it falls silent. */
const silences = [
	"GET / HTTP/1.1\r\nHost: attacked.apps.test\r\nX-Slow: ",
	"POST / HTTP/1.1\r\nHost: attacked.apps.test\r\nContent-Length: 100000\r\n\r\nx",
	"GET /large HTTP/1.1\r\nHost: attacked.apps.test\r\n\r\n",
	"",
];
const slowConnections = 1200;
const floodPerSecond = 1500;
const floodTickMs = 20;

/** Slow connections of each kind, which come again when they are ended, and a flood from one address. */
function attack(): void {
	function openSlow(index: number) {
		const socket = connect(port, "127.0.0.1", () => socket.write(silences[index % silences.length] ?? ""));
		socket.pause();
		socket.on("error", () => undefined);
		socket.on("close", () => setTimeout(openSlow, 100, index));
	}
	for (let index = 0; index < slowConnections; index += 1) openSlow(index);
	const agent = new Agent({ keepAlive: true, maxSockets: 128 });
	setInterval(() => {
		for (let index = 0; index < (floodPerSecond * floodTickMs) / 1000; index += 1) {
			ask(agent, "attacked.apps.test").catch(() => undefined);
		}
	}, floodTickMs);
}

if (role === "steady") await steady();
else attack();

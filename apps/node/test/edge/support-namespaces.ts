import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { type RequestListener, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type CleanupStack, createCleanupStack, createLog } from "@repldock/service";
import { WebSocket } from "ws";
import { makeSelfSigned } from "../../src/certificates/make.ts";
import { createEdge, type NodeEdge } from "../../src/host/edge.ts";
import { edgeArguments, nginxProgram, prepareEdge, readEdgeLog } from "../../src/host/edge-process.ts";
import { until } from "./support.ts";
import { type Answer, serveAt, type Visit, visitorsOf } from "./visitors.ts";

/** An edge in a network namespace of its own, visited over a cable between it and the test's. */
export interface NamespacedEdge {
	edge: NodeEdge;
	/** Where the other edge reaches it. */
	peer: string;
	/** Where its visitors' requests come from. */
	visitorAddress: string;
	visit(host: string, options?: Visit): Promise<Answer>;
	/** Where it speaks TLS, seen from the visitor. */
	tls: { address: string; port: number };
	/** Follows an event stream: `onText` is called with all that came so far; resolves with it at the end. */
	follow(host: string, path: string, onText: (text: string) => void): Promise<string>;
	/** Sends one message to a WebSocket of an app and returns what comes back. */
	echo(host: string, message: string): Promise<string>;
	/** Starts `app-program.ts` in the place of a container. */
	app(): Promise<{ address: string; port: number; grpcPort: number }>;
	agent(listener: RequestListener): Promise<void>;
}

const log = createLog("edge-test", "silent");
const port = 8080;
/** The same in each namespace. */
export const tlsPort = 8443;
const run = (program: string, ...commandArguments: string[]) =>
	execFileSync(program, commandArguments, { stdio: "pipe" });

/** `ip` takes interface names of at most 15 bytes; the process's id keeps two runs apart. */
function cable(
	cleanup: CleanupStack,
	names: [string, string],
	ends: [Namespace | null, Namespace],
	addresses: [string, string],
) {
	run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]);
	cleanup.push(names[0], () => {
		try {
			run("ip", "link", "delete", names[0]);
		} catch {
			// Gone with the namespace that it was moved into.
		}
	});
	for (const index of [0, 1] as const) {
		const [name, namespace] = [names[index], ends[index]];
		if (namespace) run("ip", "link", "set", name, "netns", namespace.name);
		const ip = namespace ? ["-n", namespace.name] : [];
		run("ip", ...ip, "address", "add", `${addresses[index]}/30`, "dev", name);
		run("ip", ...ip, "link", "set", name, "up");
	}
}

interface Namespace {
	name: string;
}

function namespace(cleanup: CleanupStack, name: string): Namespace {
	run("ip", "netns", "add", name);
	cleanup.push(name, () => void run("ip", "netns", "delete", name));
	run("ip", "-n", name, "link", "set", "lo", "up");
	return { name };
}

function spawnIn(
	{ name }: Namespace,
	cleanup: CleanupStack,
	program: string,
	...commandArguments: string[]
): ChildProcess {
	// `ip netns exec` becomes the program itself, so its id is the program's.
	const child = spawn("ip", ["netns", "exec", name, program, ...commandArguments], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	cleanup.push(program, async () => {
		if (child.exitCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGTERM");
		await ended;
	});
	return child;
}

export async function startNamespacedEdges(): Promise<{
	one: NamespacedEdge;
	two: NamespacedEdge;
	release(): Promise<void>;
}> {
	const cleanup = createCleanupStack(log);
	const id = process.pid.toString(36);
	// 198.18.0.0/15 is for tests of networks; the third byte differs between runs at the same time.
	const byte = process.pid % 250;
	try {
		const names = [namespace(cleanup, `rdh${id}a`), namespace(cleanup, `rdh${id}b`)] as const;
		cable(cleanup, [`h${id}x`, `h${id}y`], [names[0], names[1]], [`198.19.${byte}.1`, `198.19.${byte}.2`]);
		cable(cleanup, [`h${id}a`, `h${id}av`], [null, names[0]], [`198.18.${byte}.1`, `198.18.${byte}.2`]);
		cable(cleanup, [`h${id}b`, `h${id}bv`], [null, names[1]], [`198.18.${byte}.5`, `198.18.${byte}.6`]);
		const one = await startOne(cleanup, names[0], `198.18.${byte}.1`, `198.18.${byte}.2`, `198.19.${byte}.1`);
		const two = await startOne(cleanup, names[1], `198.18.${byte}.5`, `198.18.${byte}.6`, `198.19.${byte}.2`);
		return { one, two, release: () => cleanup.run() };
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

async function startOne(
	cleanup: CleanupStack,
	place: Namespace,
	visitorAddress: string,
	address: string,
	peerAddress: string,
): Promise<NamespacedEdge> {
	const dataDirectory = await mkdtemp(join(tmpdir(), "repldock-hop-"));
	cleanup.push("data directory", () => rm(dataDirectory, { recursive: true, force: true }));
	await chmod(dataDirectory, 0o755);
	await mkdir(join(dataDirectory, "run"));
	await prepareEdge({
		dataDirectory,
		httpPort: port,
		siteHost: "site.test",
		siteUrl: "http://site.test",
		gatewayHost: "node.apps.test",
		appsDomain: "apps.test",
		containerSubnets: ["127.77.0.0/16"],
		user: "www-data",
		workers: 1,
		ipv6: false,
		tls: {
			httpsPort: tlsPort,
			fallback: await makeSelfSigned("fallback.invalid"),
			redirect: false,
			hstsSeconds: 0,
		},
	});
	const edge = createEdge({ socketPath: join(dataDirectory, "run", "edge.sock"), log });
	const nginx = spawnIn(place, cleanup, nginxProgram, ...edgeArguments(dataDirectory));
	await until(async () => {
		if (nginx.exitCode !== null) throw new Error(`NGINX ended: ${await readEdgeLog(dataDirectory)}`);
		return edge.report().then(
			() => true,
			() => false,
		);
	});
	let apps = 0;

	return {
		edge,
		peer: `${peerAddress}:${port}`,
		visitorAddress,

		visit: visitorsOf(address, port).visit,
		tls: { address, port: tlsPort },

		follow(host, path, onText) {
			return new Promise((resolve, reject) => {
				const headers = { host: `${host}:${port}`, accept: "text/event-stream" };
				const outgoing = request({ host: address, port, agent: false, setHost: false, path, headers });
				outgoing.on("error", reject);
				outgoing.on("response", (response) => {
					let text = "";
					response.setEncoding("utf8").on("data", (chunk) => {
						text += chunk;
						onText(text);
					});
					response.on("end", () => resolve(text)).on("error", reject);
				});
				outgoing.end();
			});
		},

		echo(host, message) {
			return new Promise((resolve, reject) => {
				const socket = new WebSocket(`ws://${address}:${port}/`, { headers: { host: `${host}:${port}` } });
				socket.on("open", () => socket.send(message));
				socket.on("message", (data) => {
					resolve(String(data));
					socket.close();
				});
				socket.on("error", reject);
			});
		},

		async app() {
			apps += 1;
			const appAddress = `127.77.0.${apps}`;
			const program = fileURLToPath(new URL("app-program.ts", import.meta.url));
			const child = spawnIn(place, cleanup, process.execPath, program, appAddress);
			if (!child.stdout) throw new Error("The app has no standard output.");
			const [line] = await once(createInterface({ input: child.stdout }), "line");
			return { address: appAddress, ...(JSON.parse(line) as { port: number; grpcPort: number }) };
		},

		async agent(listener) {
			const path = join(dataDirectory, "run", "agent.sock");
			const server = await serveAt(path, listener);
			cleanup.push("agent", () => {
				server.closeAllConnections();
				server.close();
			});
		},
	};
}

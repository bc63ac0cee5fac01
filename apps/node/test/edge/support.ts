import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Route, RoutePort } from "@repldock/protocol";
import { createCleanupStack, createLog } from "@repldock/service";
import { createEdge, type NodeEdge } from "../../src/host/edge.ts";
import { type EdgeOptions, type EdgeTls, edgeProgram, prepareEdge, readEdgeLog } from "../../src/host/edge-process.ts";
import { serveAt, type Visitors, visitorsOf } from "./visitors.ts";

export interface TestEdge extends Visitors {
	port: number;
	/** Nothing listens there unless the edge was started with TLS. */
	httpsPort: number;
	dataDirectory: string;
	edge: NodeEdge;
	/** Starts a server in the place of one container. */
	container(listener: RequestListener): Promise<{ address: string; port: number; server: Server }>;
	/** Starts a server in the place of the site, the agent or the holder. */
	service(name: "site" | "agent" | "holder", listener: RequestListener): Promise<Server>;
	start(): Promise<void>;
	stop(): Promise<void>;
	release(): Promise<void>;
}

const log = createLog("edge-test", "silent");

/** Checks again until it holds; for states of another process, which sends no event. */
export async function until(check: () => Promise<boolean>, timeoutMs = 40_000): Promise<void> {
	const end = Date.now() + timeoutMs;
	while (!(await check())) {
		if (Date.now() > end) throw new Error("the awaited state did not come");
		await wait(20);
	}
}

async function freePort(): Promise<number> {
	const probe = createTcpServer().listen(0, "0.0.0.0");
	await once(probe, "listening");
	const { port } = probe.address() as AddressInfo;
	probe.close();
	await once(probe, "close");
	return port;
}

/** More than the usual: options of the edge, and a network namespace that NGINX is started in. */
interface StartOptions {
	options?: Partial<EdgeOptions>;
	tls?: Omit<EdgeTls, "httpsPort">;
	namespace?: string;
	/** The agent's status for a slug that the edge does not have; default 404: there is none. */
	lookUp?: (slug: string) => number | Promise<number>;
}

let lastAddress = 0;

/** What a test says of a route: a port alone is one that visitors know by its own number. */
type RouteValues = Partial<Omit<Route, "ports"> & { ports: (number | RoutePort)[] }>;

/** A route to one container, running and public unless said otherwise. */
export function route(slug: string, { ports = [], ...values }: RouteValues = {}): Route {
	const projectId = "3f0c9a52-1111-4111-8111-000000000001";
	return {
		slug,
		domains: [],
		projectId,
		address: null,
		ports: ports.map((port) => (typeof port === "number" ? { external: port, local: port } : port)),
		mainPort: null,
		visibility: "public",
		state: "running",
		wakes: false,
		...values,
	};
}

/** Starts NGINX in a data directory of its own, with containers anywhere in 127.77.0.0/16. */
export async function startEdge(appsDomain = "apps.test", more: StartOptions = {}): Promise<TestEdge> {
	const cleanup = createCleanupStack(log);
	const dataDirectory = await mkdtemp(join(tmpdir(), "repldock-edge-"));
	cleanup.push("data directory", () => rm(dataDirectory, { recursive: true, force: true }));
	await chmod(dataDirectory, 0o755);
	const run = join(dataDirectory, "run");
	await mkdir(run);
	const port = more.options?.httpPort ?? (await freePort());
	const httpsPort = await freePort();
	const edge = createEdge({ socketPath: join(run, "edge.sock"), log, pollIntervalMs: 50 });
	let nginx: ChildProcess | undefined;

	async function start() {
		const options: EdgeOptions = {
			dataDirectory,
			httpPort: port,
			siteUrl: `http://localhost:${port}`,
			siteHost: "localhost",
			gatewayHost: "node.localhost",
			appsDomain,
			containerSubnets: ["127.77.0.0/16"],
			noWakeAgents: ["UptimeRobot", "bot/"],
			user: "www-data",
			workers: 2,
			...(more.tls ? { tls: { ...more.tls, httpsPort } } : {}),
			...more.options,
		};
		await prepareEdge(options);
		const { program, arguments: words } = edgeProgram(options);
		const entered = more.namespace === undefined ? [] : ["nsenter", `--net=/run/netns/${more.namespace}`];
		const [command = "", ...rest] = [...entered, program, ...words];
		const child = spawn(command, rest, { stdio: "ignore" });
		nginx = child;
		await until(async () => {
			if (child.exitCode !== null) throw new Error(`NGINX ended: ${await readEdgeLog(dataDirectory)}`);
			return edge.report().then(
				() => true,
				() => false,
			);
		});
	}

	async function stop() {
		if (!nginx || nginx.exitCode !== null) return;
		const ended = once(nginx, "exit");
		nginx.kill("SIGTERM");
		await ended;
	}

	function closeLater(name: string, server: Server) {
		cleanup.push(name, () => {
			server.closeAllConnections();
			server.close();
		});
	}

	async function container(listener: RequestListener) {
		lastAddress += 1;
		const address = `127.77.${Math.floor(lastAddress / 250)}.${(lastAddress % 250) + 1}`;
		const server = createServer(listener).listen(0, address);
		await once(server, "listening");
		closeLater(address, server);
		return { address, port: (server.address() as AddressInfo).port, server };
	}

	/** The agent's answer about unknown slugs, before all that a test lets it say. */
	function withLookUp(listener: RequestListener): RequestListener {
		return async (incoming, response) => {
			if (incoming.url !== "/edge/route") return listener(incoming, response);
			const slug = String(incoming.headers["x-repldock-slug"]);
			response.writeHead(more.lookUp ? await more.lookUp(slug) : 404).end();
		};
	}

	let plainAgent: Server | undefined;

	async function service(name: "site" | "agent" | "holder", listener: RequestListener) {
		const path = join(run, `${name}.sock`);
		if (name === "agent" && plainAgent) {
			const closed = once(plainAgent, "close");
			plainAgent.close();
			plainAgent.closeAllConnections();
			await closed;
			plainAgent = undefined;
		}
		const server = await serveAt(path, name === "agent" ? withLookUp(listener) : listener);
		closeLater(name, server);
		return server;
	}

	cleanup.push("nginx", stop);
	plainAgent = await service("agent", (incoming) => incoming.socket.destroy());
	await start();
	return {
		port,
		httpsPort,
		dataDirectory,
		edge,
		...visitorsOf("127.0.0.1", port),
		container,
		service,
		start,
		stop,
		release: () => cleanup.run(),
	};
}

/** Ids of NGINX's worker processes, which differ once one was replaced. */
export async function workersOf({ dataDirectory }: Pick<TestEdge, "dataDirectory">): Promise<number[]> {
	const pid = (await readFile(join(dataDirectory, "edge/nginx.pid"), "utf8")).trim();
	return (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").map(Number);
}

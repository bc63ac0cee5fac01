import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CleanupStack, createCleanupStack, createLog, runCommand } from "@repldock/service";
import { createEdge } from "../../apps/node/src/host/edge.ts";
import { edgeArguments, nginxProgram, prepareEdge } from "../../apps/node/src/host/edge-process.ts";
import { eventually } from "../../tests/support/wait.ts";

/** Waits of one project's visitors, from its first byte asked to its last one got, at a steady 200 requests a second. */
export interface AttackFigures {
	quietP99Ms: number;
	/** The same while another project of the node is attacked in every way that attack-visitors.ts knows. */
	attackedP99Ms: number;
}

const port = 8080;
const appPort = 9000;
const log = createLog("bench", "error");

/** Measures in a network namespace of its own, with the limits that a node has by default; takes about half a minute. */
export async function measureAttack(): Promise<AttackFigures> {
	const cleanup = createCleanupStack(log);
	try {
		return await measure(cleanup);
	} finally {
		await cleanup.run();
	}
}

async function measure(cleanup: CleanupStack): Promise<AttackFigures> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-attack-"));
	cleanup.push("directory", () => rm(directory, { recursive: true, force: true }));
	await chmod(directory, 0o755);
	await mkdir(join(directory, "run"));
	const namespace = `rda-${randomBytes(3).toString("hex")}`;
	await runCommand("ip", ["netns", "add", namespace]);
	cleanup.push("namespace", async () => void (await runCommand("ip", ["netns", "delete", namespace])));
	await runCommand("ip", ["-n", namespace, "link", "set", "lo", "up"]);
	const enter = [`--net=/run/netns/${namespace}`];

	function start(program: string, programArguments: readonly string[]) {
		const child = spawn("nsenter", [...enter, program, ...programArguments], { stdio: "ignore" });
		cleanup.push(program, async () => {
			if (child.exitCode !== null || child.signalCode !== null) return;
			const ended = once(child, "exit");
			child.kill("SIGTERM");
			await ended;
		});
	}
	const visitors = fileURLToPath(new URL("attack-visitors.ts", import.meta.url));
	async function steadyP99Ms(): Promise<number> {
		const output = await runCommand("nsenter", [...enter, process.execPath, visitors, "steady", String(port)]);
		return Number(output);
	}

	await writeFile(join(directory, "apps.conf"), appsConfiguration(directory));
	start(nginxProgram, ["-c", join(directory, "apps.conf"), "-e", "/dev/null"]);
	await prepareEdge({
		dataDirectory: directory,
		httpPort: port,
		siteHost: "localhost",
		siteUrl: `http://localhost:${port}`,
		gatewayHost: "node.localhost",
		appsDomain: "apps.test",
		containerSubnets: ["127.77.0.0/16"],
		user: "www-data",
		limits: {
			connections: 2000,
			requestsPerSecond: 2000,
			visitorConnections: 400,
			visitorRequestsPerSecond: 400,
			bodyBytes: 0,
		},
	});
	start(nginxProgram, edgeArguments(directory));
	const edge = createEdge({ socketPath: join(directory, "run", "edge.sock"), log });
	const app = {
		domains: [],
		ports: [{ external: appPort, local: appPort }],
		mainPort: appPort,
		visibility: "public" as const,
		state: "running" as const,
		wakes: false,
	};
	const routes = ["neighbour", "attacked"].map((slug, index) => ({
		...app,
		slug,
		projectId: `00000000-0000-4000-8000-00000000000${index}`,
		address: `127.77.0.${index + 1}`,
	}));
	await eventually("the edge", () => edge.report().then(Boolean, () => undefined));
	await edge.replaceRoutes({ revision: 1, routes });

	await steadyP99Ms();
	const quietP99Ms = await steadyP99Ms();
	// In life they are elsewhere; here they must not take the processors from those that are measured.
	start("nice", ["-n", "19", process.execPath, visitors, "attack", String(port)]);
	// The first round finds the attackers still connecting.
	await steadyP99Ms();
	return { quietP99Ms, attackedP99Ms: await steadyP99Ms() };
}

/** Both apps: one answers, the other keeps its visitors waiting where they ask for it. */
function appsConfiguration(directory: string): string {
	return `
		daemon off;
		worker_processes 1;
		pid "${directory}/apps.pid";
		error_log /dev/null;
		events { worker_connections 8192; }
		http {
			access_log off;
			client_body_temp_path "${directory}/apps-body";
			server {
				listen 127.77.0.1:${appPort} backlog=4096;
				listen 127.77.0.2:${appPort} backlog=4096;
				location / { return 200 "hello"; }
				location /large { limit_rate 1000k; return 200 "${"x".repeat(4000)}"; }
			}
		}
	`;
}

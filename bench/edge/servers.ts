import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLog } from "@repldock/service";
import { createEdge, type NodeEdge } from "../../apps/node/src/host/edge.ts";
import { edgeArguments, nginxProgram, prepareEdge, readEdgeLog } from "../../apps/node/src/host/edge-process.ts";
import { eventually } from "../../tests/support/wait.ts";
import type { Lab } from "./lab.ts";

export const appsDomain = "apps.test";
/** Every container's app listens on it. */
export const appPort = 8000;
export const dynamicPort = 8080;
export const staticPort = 8081;

/** As many workers as the edge has by itself on the machines that it is measured on. */
const workers = 2;

/** The apps: each answers with its own address, which is what tells a misrouted request. */
export async function startApps(lab: Lab): Promise<void> {
	const body = "return 200 $server_addr;";
	await startNginx(
		lab,
		"apps",
		"containers",
		`server { listen 0.0.0.0:${appPort} backlog=4096; location / { ${body} } }`,
	);
}

/** The baseline: what somebody would write by hand for one app, with connections kept. */
export async function startStaticProxy(lab: Lab): Promise<void> {
	await startNginx(
		lab,
		"static",
		"edge",
		`upstream app { server ${lab.containerAddress(0)}:${appPort}; keepalive 512; keepalive_requests 100000; }
		server {
			listen 0.0.0.0:${staticPort} backlog=4096;
			keepalive_requests 10000;
			location / {
				proxy_pass http://app;
				proxy_http_version 1.1;
				proxy_buffering off;
				proxy_set_header Connection "";
				proxy_set_header Host $http_host;
				proxy_set_header X-Forwarded-For $remote_addr;
				proxy_set_header X-Forwarded-Proto $scheme;
				proxy_set_header X-Forwarded-Host $http_host;
				proxy_set_header X-Real-IP $remote_addr;
			}
		}`,
	);
}

/** The edge as the product runs it. */
export async function startEdge(lab: Lab): Promise<NodeEdge> {
	const dataDirectory = join(lab.directory, "edge-data");
	await mkdir(dataDirectory);
	await prepareEdge({
		dataDirectory,
		httpPort: dynamicPort,
		siteHost: "localhost",
		siteUrl: `http://localhost:${dynamicPort}`,
		gatewayHost: "node.localhost",
		appsDomain,
		containerSubnets: [lab.containerSubnet],
		user: "www-data",
		workers,
	});
	const child = lab.start("edge", nginxProgram, edgeArguments(dataDirectory));
	const edge = createEdge({ socketPath: join(dataDirectory, "run", "edge.sock"), log: createLog("bench", "error") });
	await eventually("the edge", async () => {
		if (child.exitCode !== null) throw new Error(`NGINX ended: ${await readEdgeLog(dataDirectory)}`);
		return edge.report().then(
			() => true,
			() => false,
		);
	});
	return edge;
}

async function startNginx(lab: Lab, name: string, place: "edge" | "containers", servers: string): Promise<void> {
	const directory = join(lab.directory, name);
	await mkdir(directory);
	const configuration = join(directory, "nginx.conf");
	const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
		.map((kind) => `${kind}_temp_path ${directory}/${kind};`)
		.join("\n");
	await writeFile(
		configuration,
		`daemon off; worker_processes ${workers}; worker_rlimit_nofile 65536; pid ${directory}/nginx.pid; user www-data;
		error_log ${directory}/error.log crit;
		events { worker_connections 16384; }
		http { access_log off; ${temporary} tcp_nodelay on; ${servers} }`,
	);
	const child = lab.start(place, nginxProgram, [
		"-p",
		directory,
		"-c",
		configuration,
		"-e",
		join(directory, "error.log"),
	]);
	// Written when its sockets listen.
	await eventually(`NGINX (${name})`, () => {
		if (child.exitCode !== null) throw new Error(`NGINX (${name}) ended at once`);
		return existsSync(join(directory, "nginx.pid"));
	});
}

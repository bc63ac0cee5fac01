import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, readConfig } from "@repldock/service";
import { siteOptions } from "../../src/config.ts";
import type { Resolver } from "../../src/dns/resolver.ts";
import { makeOperatorLink, type RunningSite, startSite } from "../../src/server.ts";
import { Client } from "./client.ts";
import { type Cluster, startCluster } from "./cluster.ts";

export const siteUrl = "http://localhost:8080";

const templates = [
	{
		id: "python",
		name: "Python",
		description: "A program.",
		language: "python",
		entrypoint: "main.py",
		kind: "program",
	},
	{ id: "node-web", name: "Web", description: "A page.", language: "javascript", entrypoint: "index.js", kind: "web" },
];

const emptyResolver: Resolver = { txt: async () => [], cname: async () => [] };

/** A database with any number of site instances on it. */
export interface World {
	readonly cluster: Cluster;
	readonly database: string;
	readonly secretsDirectory: string;
	startInstance(changes?: Record<string, string>): Promise<Instance>;
	operatorLink(): Promise<string>;
	query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
	/** Stops all that was started. */
	stop(): Promise<void>;
}

export interface Instance extends RunningSite {
	readonly url: string;
	client(): Client;
	/** A client with an account of its own, signed in. */
	signedUp(name: string): Promise<Client>;
	/** A client signed in as the first administrator, by a one-time link. */
	administrator(): Promise<Client>;
}

/** @param resolver what custom domains are looked up with; by default no name has a record. */
export async function createWorld(settings: Record<string, string> = {}, resolver = emptyResolver): Promise<World> {
	const cluster = await startCluster();
	const directory = await mkdtemp(join(tmpdir(), "repldock-site-"));
	await writeFile(join(directory, "index.json"), JSON.stringify(templates));
	const database = "site";
	await cluster.createDatabase(database);
	const secretsDirectory = join(directory, "secrets");
	const running = new Set<RunningSite>();
	const environment = {
		REPLDOCK_DATABASE_SOCKET_DIRECTORY: cluster.socketDirectory,
		REPLDOCK_DATABASE_NAME: database,
		REPLDOCK_SECRETS_DIRECTORY: secretsDirectory,
		REPLDOCK_TEMPLATES_DIRECTORY: directory,
		REPLDOCK_SITE_DIST_DIRECTORY: join(directory, "dist"),
		REPLDOCK_SITE_URL: siteUrl,
		...settings,
	};
	const log = createLog("site", process.env.TEST_LOG_LEVEL ?? "silent");
	const operatorLink = () => makeOperatorLink(readConfig(siteOptions, environment), log);

	return {
		cluster,
		database,
		secretsDirectory,
		operatorLink,
		query: (text, values) => cluster.query(database, text, values),
		async startInstance(changes = {}) {
			const site = await startSite(readConfig(siteOptions, { ...environment, ...changes }), log, resolver);
			running.add(site);
			const url = `http://127.0.0.1:${site.listensOn}`;
			return {
				...site,
				url,
				close: () => site.close().finally(() => running.delete(site)),
				client: () => new Client(url),
				async signedUp(name) {
					const client = new Client(url);
					await client.signUp(name);
					return client;
				},
				async administrator() {
					const client = new Client(url);
					const token = new URL(await operatorLink()).searchParams.get("token");
					const person = { name: "Ada", email: "ada@example.com", password: "correct horse" };
					const answer = await client.post("/api/v1/welcome", { token, ...person });
					if (answer.status !== 200) throw new Error(`welcome: ${JSON.stringify(answer.body)}`);
					return client;
				},
			};
		},
		async stop() {
			for (const site of running) await site.close();
			await cluster.stop();
			await rm(directory, { recursive: true, force: true });
		},
	};
}

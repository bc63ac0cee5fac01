import { join } from "node:path";
import { manifestsPath, scrubPath, unnamedObjectsPath, visitsPath } from "@repldock/protocol";
import { createBackoff, createCleanupStack, createLog, type Logger, readConfig } from "@repldock/service";
import { startDelivery } from "./alerts/deliver.ts";
import { createApi } from "./api/app.ts";
import { createAuth } from "./auth/auth.ts";
import { readSecrets } from "./auth/secrets-directory.ts";
import { createTicketSigner } from "./auth/tickets.ts";
import { appsAddress, databaseAddress, type SiteConfig, siteOptions } from "./config.ts";
import { createControl } from "./control/control.ts";
import { createNodeCheckpoints } from "./control/node-checkpoints.ts";
import { createNodeVisits } from "./control/node-visits.ts";
import { followSiteAddresses } from "./control/site-addresses.ts";
import { checkDueDomains } from "./dns/check-domain.ts";
import { createResolver, type Resolver } from "./dns/resolver.ts";
import { rebuildFrom } from "./rebuild-index.ts";
import { type Database, databaseHost, openDatabase } from "./store/database.ts";
import { tidy } from "./store/janitor.ts";
import { migrate } from "./store/migrate.ts";
import { moveAlwaysOnFromGone } from "./store/moves.ts";
import { createOperatorLink } from "./store/operator-links.ts";
import { initialiseSettings } from "./store/settings.ts";
import { reportStorage } from "./store/storage-report.ts";
import { readTemplates } from "./store/templates.ts";
import { createHttpServer } from "./web/http-server.ts";
import { closeServer, listenOn } from "./web/listen.ts";
import { createMetrics } from "./web/metrics.ts";
import { createPages } from "./web/pages.ts";
import { createVisits } from "./web/visits.ts";

/** Shorter than the 5 s in which a stop must be over. */
const stopGraceMs = 3_000;

/** How often alerts are looked for that the webhook has not taken. */
const alertsEveryMs = 2_000;

export interface RunningSite {
	/** The socket's path, or the port on 127.0.0.1. */
	readonly listensOn: string | number;
	close(): Promise<void>;
}

/** Opens the database with its schema and settings in place; waits up to half a minute for one that is just starting. */
async function prepareDatabase(config: SiteConfig, log: Logger): Promise<Database> {
	const database = openDatabase(databaseAddress(config), config.databaseConnections, (error) =>
		log.warn({ reason: error.message }, "a database connection was lost"),
	);
	const backoff = createBackoff(100, 2_000);
	const deadline = Date.now() + 30_000;
	for (;;) {
		try {
			const applied = await migrate(database);
			if (applied.length > 0) log.info({ applied }, "database migrated");
			await initialiseSettings(database, { registration: config.registration });
			return database;
		} catch (error) {
			if (!isStartingUp(error) || Date.now() > deadline) {
				await database.destroy();
				throw error;
			}
			await new Promise((resolve) => setTimeout(resolve, backoff.nextMs()));
		}
	}
}

/** Nobody listens yet, or PostgreSQL says that it is starting (57P03). */
function isStartingUp(error: unknown): boolean {
	if (!(error instanceof Error) || !("code" in error)) return false;
	return ["ECONNREFUSED", "ENOENT", "57P03"].includes(String(error.code));
}

/** Starts one instance of the site. Any number may run on one database. */
export async function startSite(
	config: SiteConfig,
	log: Logger,
	resolver: Resolver = createResolver(config.dnsServers),
): Promise<RunningSite> {
	const cleanup = createCleanupStack(log);
	try {
		const [secrets, templates] = await Promise.all([
			readSecrets(config.secretsDirectory),
			readTemplates(config.templatesDirectory),
		]);
		const database = await prepareDatabase(config, log);
		cleanup.push("database", () => database.destroy());

		const { siteUrl, trashTimeMs } = config;
		const apps = appsAddress(config);
		const auth = createAuth({ ...config, database, secret: secrets.authSecret, log });
		const ticketSigner = await createTicketSigner(secrets.ticketKey);
		const api = createApi({
			database,
			auth,
			ticketSigner,
			templates,
			newProjectLimits: {
				memoryBytes: config.projectMemoryBytes,
				cpus: config.projectCpus,
				pids: config.projectPids,
				diskBytes: config.projectDiskBytes,
			},
			projectsPerUser: config.projectsPerUser,
			forkPatienceMs: config.forkPatienceMs,
			runningPerUser: config.runningPerUser,
			nodeGoneAfterMs: config.nodeGoneAfterMs,
			trashTimeMs,
			domainsPerProject: config.domainsPerProject,
			domainGraceMs: config.domainGraceMs,
			resolver,
			apps,
			siteUrl,
			log,
		});
		const distDirectory = config.distDirectory ?? join(import.meta.dirname, "../dist");
		const pages = await createPages({ database, auth, apps, siteUrl, log, distDirectory });

		const addresses = followSiteAddresses({
			hosts: [new URL(siteUrl).hostname, databaseHost(databaseAddress(config))],
			log,
		});
		cleanup.push("addresses", () => addresses.close());
		// A node's first container may come with the first welcome.
		await addresses.first;
		const control = createControl({
			database,
			databaseAddress: databaseAddress(config),
			nodeToken: secrets.nodeToken,
			ticketKeys: [ticketSigner.publicKey],
			siteOrigins: [new URL(siteUrl).origin],
			edgeSecret: secrets.edgeSecret,
			siteAddresses: addresses.present,
			runningPerUser: config.runningPerUser,
			deliverAlerts: config.alertWebhook !== undefined,
			log,
		});
		addresses.onChange(control.addressesChanged);
		const visits = createVisits({ database, auth, ticketSigner, apps });
		const nodeCheckpoints = createNodeCheckpoints({ database, nodeToken: secrets.nodeToken, log });
		const nodeQuestions = {
			[visitsPath]: createNodeVisits({ database, nodeToken: secrets.nodeToken, log }),
			[manifestsPath]: nodeCheckpoints.manifests,
			[unnamedObjectsPath]: nodeCheckpoints.unnamedObjects,
			[scrubPath]: nodeCheckpoints.scrubs,
		};
		const metrics = createMetrics(database, config.metricsToken);
		const server = createHttpServer({ api, pages, visits, nodeQuestions, metrics, control, database, siteUrl, log });
		// Released in reverse: control sockets first, since the server's close waits for the sockets that it handed on.
		cleanup.push("http server", () => closeServer(server, stopGraceMs));
		cleanup.push("control sockets", () => control.close());
		await listenOn(server, config.siteSocket ? { socket: config.siteSocket } : { port: config.sitePort });
		cleanup.push("janitor", startJanitor(database, config, log));
		const checks = { database, resolver, apps, graceMs: config.domainGraceMs, log };
		const repeat = (name: string, work: () => Promise<unknown>) =>
			cleanup.push(name, startRepeating(config.janitorIntervalMs, name, work, log));
		repeat("domain checks", () => checkDueDomains(checks));
		repeat("moves of projects that are always on", () => moveAlwaysOnFromGone(database, config.nodeGoneAfterMs));

		if (config.alertWebhook !== undefined) {
			const delivery = { database, webhook: config.alertWebhook, siteUrl, log };
			cleanup.push("alerts", startDelivery(delivery, alertsEveryMs));
		}

		const address = server.address();
		const listensOn = typeof address === "object" && address ? address.port : (config.siteSocket ?? 0);
		log.info({ listensOn, siteUrl }, "site is up");
		return { listensOn, close: () => cleanup.run() };
	} catch (error) {
		await cleanup.run();
		throw error;
	}
}

/** Tidies now and then until the returned function is called, which waits for what is under way. */
function startJanitor(database: Database, config: SiteConfig, log: Logger): () => Promise<void> {
	let underWay = Promise.resolve();
	let wasHeld = false;
	const run = () => {
		underWay = tidy(database, {
			...config,
			versions: { allMs: config.versionsAllMs, hourlyMs: config.versionsHourlyMs, dailyMs: config.versionsDailyMs },
		})
			.then((outcome) => {
				if (!outcome) return;
				if (outcome.begun + outcome.removed > 0) log.info(outcome, "trash is being purged");
				if (outcome.held && !wasHeld) {
					log.warn("the clock was set or the site was off: nothing old is removed before a day of looks has gone by");
				}
				wasHeld = outcome.held;
			})
			.catch((error: unknown) => log.error({ err: error }, "tidying failed; it is tried again"));
	};
	run();
	const timer = setInterval(run, config.janitorIntervalMs);
	return () => {
		clearInterval(timer);
		return underWay;
	};
}

/** Does it now and then, one time after the other, until the returned function is called, which waits for the last one. */
function startRepeating(
	intervalMs: number,
	name: string,
	work: () => Promise<unknown>,
	log: Logger,
): () => Promise<void> {
	let underWay = Promise.resolve();
	const timer = setInterval(() => {
		underWay = underWay
			.then(async () => void (await work()))
			.catch((error: unknown) => log.error({ err: error }, `failed, and is tried again: ${name}`));
	}, intervalMs);
	return () => {
		clearInterval(timer);
		return underWay;
	};
}

/** Makes a one-time link for the operator. @returns its address. */
export async function makeOperatorLink(config: SiteConfig, log: Logger): Promise<string> {
	const database = await prepareDatabase(config, log);
	try {
		const { token } = await createOperatorLink(database);
		return `${config.siteUrl}/welcome?token=${token}`;
	} finally {
		await database.destroy();
	}
}

/** Prints what comes of it as JSON. */
async function withDatabase(config: SiteConfig, work: (database: Database) => Promise<object>): Promise<void> {
	const database = await prepareDatabase(config, createLog("site", "silent"));
	try {
		process.stdout.write(`${JSON.stringify(await work(database))}\n`);
	} finally {
		await database.destroy();
	}
}

async function main(command: string | undefined): Promise<void> {
	const config = readConfig(siteOptions, process.env);
	if (command === "operator-link") {
		// Standard output is for the link alone.
		process.stdout.write(`${await makeOperatorLink(config, createLog("site", "silent"))}\n`);
		return;
	}
	if (command === "rebuild-index") {
		await withDatabase(config, (database) => rebuildFrom(database, config, process.stdin));
		return;
	}
	if (command === "storage") {
		await withDatabase(config, reportStorage);
		return;
	}
	if (command !== undefined)
		throw new Error(
			`There is no command ${command}. Commands: operator-link, rebuild-index, storage, or none to serve.`,
		);
	const log = createLog("site", config.logLevel);
	const site = await startSite(config, log);
	const stop = () => void site.close();
	process.once("SIGTERM", stop);
	process.once("SIGINT", stop);
}

if (import.meta.main) {
	main(process.argv[2]).catch((error: unknown) => {
		process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
		process.exitCode = 1;
	});
}

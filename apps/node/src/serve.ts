import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { consolePtyId, type DesiredPlacement } from "@repldock/protocol";
import { createCleanupStack, type Logger } from "@repldock/service";
import { z } from "zod";
import { openClusterTable } from "./cluster-routes.ts";
import { gatewayUrl, type NodeConfig, type NodePaths } from "./config.ts";
import { type ControlClient, connectControl } from "./control/client.ts";
import { createVisitQuestions } from "./control/visits.ts";
import { readAccessSecret } from "./gateway/access.ts";
import { createGateway } from "./gateway/gateway.ts";
import { createHolderClient } from "./holder/client.ts";
import { listen } from "./holder/listen.ts";
import { firstAppPort } from "./host/apps-address.ts";
import { createEdge } from "./host/edge.ts";
import { createEngine } from "./host/engine.ts";
import { openProjectFiles } from "./host/files/project-files.ts";
import { readListeningPorts } from "./host/listening-ports.ts";
import { exposeLocalhost } from "./host/localhost-ports.ts";
import { mappedRunnerId } from "./host/subordinate-ids.ts";
import { createVolumes } from "./host/volumes.ts";
import type { Engine } from "./host.ts";
import { openContainerNetwork, volumeStore } from "./machine.ts";
import { createPlacements } from "./placements/placements.ts";
import { createPrograms } from "./programs.ts";
import { createRequestLog } from "./requests/request-log.ts";
import { createRoutes } from "./routes.ts";
import { createSleep } from "./sleep/sleep.ts";
import { createWakes } from "./sleep/wakes.ts";
import { startNodeCertificates } from "./tls.ts";
import { readWelcome, type StoredWelcome, writeWelcome } from "./welcome-file.ts";
import type { WorkspaceDependencies } from "./workspace/dependencies.ts";
import { removeDocuments } from "./workspace/documents/store.ts";
import { createRunner } from "./workspace/runner.ts";
import { appAddresses } from "./workspace/urls.ts";
import { createWorkspaces } from "./workspace/workspaces.ts";

/** How often containers are looked at for want of use, at most and at least; in between a part of the shortest time. */
const sleepCheckMs = { least: 250, most: 15_000 };

/** A screenful of a console's output, its colours included. */
const consoleTailBytes = 16 * 1024;

/** Longest time that one request may take to arrive. */
const uploadMostMs = 6 * 60 * 60 * 1000;

/**
 * The agent: wires its parts, then serves until SIGTERM. It may end at any moment: what runs in containers goes on, and
 * the next agent finds it again.
 */
export async function serve(config: NodeConfig, paths: NodePaths, log: Logger): Promise<void> {
	const cleanup = createCleanupStack(log);
	const stopped = new AbortController();
	const ended = new Promise<void>((resolve) => {
		for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
	});

	const engine = createEngine({ socketPath: paths.engineSocket, log });
	await ensureImage(engine, config, paths, log);
	const owner = await mappedRunnerId();
	const volumes = createVolumes({ mountPoint: volumeStore(config, paths).mountPoint, owner });
	await volumes.reclaim();
	await mkdir(paths.documents, { recursive: true, mode: 0o700 });

	const edge = createEdge({ socketPath: paths.edgeSocket, log });
	const requests = createRequestLog({
		edge,
		directory: paths.requests,
		addressesForMs: config.visitorAddressesForMs,
		log,
	});
	const holder = createHolderClient({ socketPath: paths.holderControl, log });
	const accessSecret = await readAccessSecret(paths.accessSecret);
	const nodeToken = (await readFile(paths.nodeToken, "utf8")).trim();
	const programs = createPrograms(holder);
	let control: ControlClient | undefined;
	let welcome: StoredWelcome | null = await readWelcome(paths.welcome);

	const cluster = await openClusterTable({ file: paths.clusterRoutes, ownAddress: config.edgeAddress, log });
	cleanup.push("the cluster's routes", () => cluster.settled());

	const network = await openContainerNetwork(config, paths, engine, log);
	cleanup.push("the containers' network", () => network.close());

	const placements = createPlacements({
		engine,
		volumes,
		image: paths.image,
		templatesDirectory: config.templatesDirectory,
		slots: config.slots,
		network,
		stateFile: paths.desired,
		onChange(projectId) {
			const life = placements.life(projectId);
			if (life.state === "stopped") void endPrograms(projectId);
			if (placements.find(projectId)?.want === "purged") {
				void holder.remove({ projectId, ptyId: consolePtyId }).catch(reportTo(log, "a console was kept"));
				void removeDocuments(paths.documents, projectId).catch(reportTo(log, "documents were kept"));
				void requests.remove(projectId).catch(reportTo(log, "visitors' requests were kept"));
			}
			routes.update(projectId);
			workspaces.refresh(projectId);
			wakes.changed(projectId);
			control?.report(placements.observed([projectId]));
		},
		log,
	});
	cleanup.push("placements", () => placements.close());
	let heardDesired = false;
	const routes = createRoutes({
		edge,
		placements,
		cluster,
		hopSecret: welcome?.edgeSecret,
		wakes: (projectId) => wakes.needed(projectId),
		isCurrent: () => heardDesired,
		log,
	});

	const workspaceDependencies: WorkspaceDependencies = {
		log,
		documentsDirectory: paths.documents,
		toolchainEnvironment: await readToolchainEnvironment(),
		apps: {
			...appAddresses(config.siteUrl, config.appsDomain),
			// They speak plain HTTP, which a page that came by TLS may not show.
			isRealPort: (port) =>
				config.appsAddress !== undefined &&
				config.siteUrl.startsWith("http:") &&
				port >= firstAppPort &&
				port !== config.httpPort &&
				port !== config.httpsPort,
		},
		placement: placements.find,
		async openFiles(projectId) {
			await placements.ensureVolume(projectId);
			return openProjectFiles(volumes.path(projectId), owner);
		},
		diskUsage: volumes.usage,
		containerState: placements.life,
		container: placements.present,
		async ensureRunning(projectId) {
			await sleep.disturb(projectId);
			return placements.ensureRunning(projectId);
		},
		readListeningPorts,
		exposeLocalhost,
		holder: { ...holder, ptys: programs.ptys },
		onPorts(projectId, ports) {
			routes.setPorts(projectId, ports);
			wakes.changed(projectId);
		},
		onOpened: (projectId) => cameBack(projectId),
	};
	const workspaces = createWorkspaces(workspaceDependencies);
	cleanup.push("workspaces", () => workspaces.close());

	const runner = createRunner(workspaceDependencies, workspaces);

	async function announce(projectId: string) {
		routes.update(projectId);
		await routes.delivered();
	}

	/** Somebody has it open: a page, or a terminal. */
	function cameBack(projectId: string) {
		wakes.forgive(projectId);
		sleep.attend(projectId);
	}

	const connections = (projectId: string) =>
		programs.attached(projectId) + (workspaces.present(projectId)?.connections() ?? 0);
	const sleep = createSleep({
		placements,
		times: { pauseAfterMs: config.pauseAfterMs ?? null, stopAfterMs: config.idleTimeoutMs ?? null },
		activity: edge.activity,
		connections: (projectId) => connections(projectId) + (wakes.isWaking(projectId) ? 1 : 0),
		announce,
		log,
	});
	const wakes = createWakes({
		placements,
		sleep,
		workspaces,
		runner,
		console: {
			state: (projectId) => programs.ptys(projectId).find(({ ptyId }) => ptyId === consolePtyId),
			tail: (projectId, mostLines) =>
				holder.tail({ projectId, ptyId: consolePtyId, mostLines, mostBytes: consoleTailBytes }),
		},
		ports: routes.ports,
		announce,
		wakeTimeoutMs: config.wakeTimeoutMs,
		log,
	});

	const gateway = createGateway({
		log,
		accessSecret,
		nodeId: () => welcome?.nodeId ?? null,
		ticketKeys: () => welcome?.ticketKeys ?? [],
		siteOrigins: () => welcome?.siteOrigins ?? [],
		findPlacement: placements.find,
		waitForPlacement: placements.wait,
		visitorByToken: createVisitQuestions({ siteUrl: config.siteUrl, siteSocket: config.siteSocket, nodeToken }),
		lookUpSlug: routes.lookUp,
		workspaces,
		runner,
		wakes,
		wakeTimeoutMs: config.wakeTimeoutMs,
		requests,
	});

	/** Forgets terminals and ends the console's run of a container that is gone. */
	function endPrograms(projectId: string): Promise<void> {
		return holder.reset({ projectId }).catch(reportTo(log, "the holder kept programs"));
	}

	function tellOrigins() {
		void holder
			.setOrigins({ origins: welcome?.siteOrigins ?? [] })
			.catch(reportTo(log, "the holder was not told origins"));
	}

	function tellRights(placement: DesiredPlacement | undefined) {
		if (!placement) return;
		const { projectId, rightsVersion } = placement;
		void holder.setRights({ projectId, rightsVersion }).catch(reportTo(log, "the holder was not told rights"));
	}

	programs.follow(
		{
			onSnapshot() {
				tellOrigins();
				for (const projectId of placements.projects()) tellRights(placements.find(projectId));
			},
			onChange(projectId) {
				workspaces.refresh(projectId);
				wakes.changed(projectId);
				if (programs.attached(projectId) > 0) cameBack(projectId);
			},
		},
		stopped.signal,
	);
	await placements.recover();
	network.watch();
	// Containers may have ended while no agent looked.
	const stoppedProjects = placements.projects().filter((projectId) => placements.life(projectId).state === "stopped");
	await Promise.all(stoppedProjects.map(endPrograms));
	const events = new AbortController();
	cleanup.push("engine events", () => events.abort());
	engine.watchEvents((event) => {
		if (event.action !== "die") return;
		void placements
			.containerEnded(event.projectId, event.containerId)
			.catch(reportTo(log, "an ended container was not cleared away"));
	}, events.signal);
	const placedDomains = () => {
		const placed = placements.projects().flatMap((projectId) => placements.find(projectId) ?? []);
		return placed.flatMap(({ want, domains }) => (want === "purged" ? [] : domains));
	};
	const certificates = await startNodeCertificates(config, paths, edge, placedDomains(), log);
	cleanup.push("certificates", () => certificates?.close());
	await routes.publish().catch(reportTo(log, "the edge has no routes yet"));
	void edge.watch(stopped.signal);
	void requests.run(stopped.signal);
	for (const projectId of placements.projects()) workspaces.refresh(projectId);
	// Edits that an agent which was killed had not yet written are in its journals.
	void workspaces
		.recover(placements.projects())
		.catch(reportTo(log, "unsaved edits wait for their project to be opened"));

	// The edge gives up on clients that fall silent; an upload that goes on may take hours on a slow line.
	const server = createServer({ requestTimeout: uploadMostMs });
	gateway.attach(server);
	// Only root and the edge's workers can open it.
	await listen(server, paths.agentSocket, 0o660, config.systemUser);
	cleanup.push("gateway", async () => {
		gateway.close();
		await new Promise<void>((resolve) => {
			server.close(() => resolve());
			server.closeIdleConnections();
			setTimeout(() => server.closeAllConnections(), 1_000).unref();
		});
	});

	control = connectControl({
		siteUrl: config.siteUrl,
		siteSocket: config.siteSocket,
		nodeToken,
		name: config.nodeName,
		gatewayUrl: gatewayUrl(config),
		edgeAddress: config.edgeAddress,
		slots: config.slots,
		observed: () => placements.observed(),
		onWelcome(latest) {
			welcome = latest;
			tellOrigins();
			routes.setHopSecret(latest.edgeSecret);
			void writeWelcome(paths.welcome, latest).catch(reportTo(log, "the site's welcome was not kept"));
		},
		onRoutes: (elsewhere) => routes.setElsewhere(elsewhere),
		onDesired(desired) {
			const before = new Map(placements.projects().map((id) => [id, placements.find(id)?.rightsVersion]));
			heardDesired = true;
			void placements.apply(desired).catch(reportTo(log, "the desired placements were not reached"));
			for (const placement of desired) {
				if (before.get(placement.projectId) !== placement.rightsVersion) tellRights(placement);
			}
			certificates?.wantDomains(placedDomains());
			for (const projectId of before.keys()) if (!placements.find(projectId)) routes.update(projectId);
			gateway.recheck();
		},
		log,
	});
	cleanup.push("control", () => control?.close());

	const sleepTimer = setInterval(lookAtUse, sleepCheckEveryMs(config));
	cleanup.push("sleep", () => clearInterval(sleepTimer));
	function lookAtUse() {
		wakes.keepOn();
		void sleep.check().catch(reportTo(log, "containers were not looked at for want of use"));
	}
	lookAtUse();

	log.info({ projects: placements.projects().length }, "agent serves");
	await ended;
	stopped.abort();
	await cleanup.run();
	process.exit(0);
}

function sleepCheckEveryMs({ pauseAfterMs, idleTimeoutMs }: NodeConfig): number {
	const shortestMs = Math.min(pauseAfterMs ?? Number.POSITIVE_INFINITY, idleTimeoutMs ?? Number.POSITIVE_INFINITY);
	return Math.min(sleepCheckMs.most, Math.max(sleepCheckMs.least, shortestMs / 8));
}

/** What every program in a container starts with; it belongs to the toolchain image's definition. */
async function readToolchainEnvironment(): Promise<Record<string, string>> {
	const file = new URL("../../../images/toolchain/environment.json", import.meta.url);
	return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(file, "utf8")));
}

async function ensureImage(engine: Engine, config: NodeConfig, paths: NodePaths, log: Logger): Promise<void> {
	await engine.ping();
	if (await engine.hasImage(paths.image)) return;
	if (!config.toolchainArchive)
		throw new Error("REPLDOCK_TOOLCHAIN_ARCHIVE is not set, and the engine has no toolchain image.");
	log.info({ image: paths.image }, "importing the toolchain image");
	await engine.importImage(config.toolchainArchive, paths.image);
}

function reportTo(log: Logger, message: string) {
	return (error: unknown) => log.error({ err: error }, message);
}

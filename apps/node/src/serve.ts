import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectConfig } from "@repldock/objects";
import { consolePtyId, isDeparting, RepldockError } from "@repldock/protocol";
import { createCleanupStack, type Logger } from "@repldock/service";
import { createWanted } from "./checkpoints/wanted.ts";
import { openClusterTable } from "./cluster-routes.ts";
import { gatewayUrl, type NodeConfig, type NodePaths } from "./config.ts";
import { type ControlClient, connectControl } from "./control/client.ts";
import { createVisitQuestions } from "./control/visits.ts";
import { containersEndWithinMs, handOverPatienceMs, toldWithinMs, untilAsked } from "./drain.ts";
import { readAccessSecret } from "./gateway/access.ts";
import { createGateway } from "./gateway/gateway.ts";
import { serveGateway } from "./gateway-server.ts";
import { createHolderClient } from "./holder/client.ts";
import { createHolderNews } from "./holder-news.ts";
import { firstAppPort } from "./host/apps-address.ts";
import { eachConnection } from "./host/connections.ts";
import { createEdge } from "./host/edge.ts";
import { createEngine } from "./host/engine.ts";
import { openProjectFiles } from "./host/files/project-files.ts";
import { createHomes } from "./host/homes.ts";
import { readListeningPorts } from "./host/listening-ports.ts";
import { exposeLocalhost } from "./host/localhost-ports.ts";
import { mappedRunnerId } from "./host/subordinate-ids.ts";
import { createVolumes } from "./host/volumes.ts";
import { openContainerNetwork, volumeStore } from "./machine.ts";
import { readMachineId } from "./machine-id.ts";
import { createPlacements } from "./placements/placements.ts";
import { createPrograms } from "./programs.ts";
import { reportTo } from "./report-to.ts";
import { createRequestLog } from "./requests/request-log.ts";
import { createRoutes } from "./routes.ts";
import { startSleep } from "./sleep/start.ts";
import { openStorage } from "./storage.ts";
import { startNodeCertificates } from "./tls.ts";
import { ensureImage, readToolchainEnvironment } from "./toolchain.ts";
import { containerMetrics, startTraffic } from "./traffic/start.ts";
import { createTurns } from "./transfer/turns.ts";
import { startTransfers } from "./transfers.ts";
import { startVersions } from "./versions/start.ts";
import { readWelcome, type StoredWelcome, writeWelcome } from "./welcome-file.ts";
import type { WorkspaceDependencies } from "./workspace/dependencies.ts";
import { holdsUnsavedEdits } from "./workspace/documents/recovery.ts";
import { removeDocuments } from "./workspace/documents/store.ts";
import { createRunner } from "./workspace/runner.ts";
import { appAddresses } from "./workspace/urls.ts";
import { createWorkspaces } from "./workspace/workspaces.ts";

/**
 * The agent: wires its parts, then serves until it is asked to end. It may end at any moment: what runs in containers goes
 * on, and the next agent finds it again. Asked to drain, it ends them first.
 */
export async function serve(config: NodeConfig, paths: NodePaths, objects: ObjectConfig, log: Logger): Promise<void> {
	const cleanup = createCleanupStack(log);
	const stopped = new AbortController();
	const asked = untilAsked();

	const nodeToken = (await readFile(paths.nodeToken, "utf8")).trim();
	let control: ControlClient | undefined;
	let welcome: StoredWelcome | null = await readWelcome(paths.welcome);
	const engine = createEngine({ socketPath: paths.engineSocket, log });
	await ensureImage(engine, config, paths, log);
	const owner = await mappedRunnerId();
	const volumes = createVolumes({ mountPoint: volumeStore(config, paths).mountPoint, owner });
	await volumes.reclaim();
	await mkdir(paths.documents, { recursive: true, mode: 0o700 });

	const site = { siteUrl: config.siteUrl, siteSocket: config.siteSocket, nodeToken };
	/** Until then a project that nobody has opened may have edits in a journal which are not in its files. */
	let editsRecovered = false;
	const { store, checkpoints, manifests, ...storage } = await openStorage({
		config,
		paths,
		objects,
		site,
		volumes,
		nodeId: () => welcome?.nodeId ?? null,
		placement: (projectId) => placements.find(projectId),
		writeDocuments,
		report: (durable) => control?.reportCheckpoints(durable),
		onDurability: (projectId) => workspaces.present(projectId)?.durabilityChanged(),
		onStoreId: () => control?.greetAgain(),
		log,
	});

	async function writeDocuments(projectId: string): Promise<boolean> {
		const workspace = workspaces.present(projectId);
		if (workspace) return workspace.documents.saveAll();
		return editsRecovered || !(await holdsUnsavedEdits(join(paths.documents, projectId)));
	}

	const edge = createEdge({ socketPath: paths.edgeSocket, log });
	const requests = createRequestLog({
		edge,
		directory: paths.requests,
		addressesForMs: config.visitorAddressesForMs,
		log,
	});
	const holder = createHolderClient({ socketPath: paths.holderControl, log });
	const accessSecret = await readAccessSecret(paths.accessSecret);
	const programs = createPrograms(holder);
	const { endPrograms, tellOrigins, tellRights } = createHolderNews(holder, () => welcome?.siteOrigins ?? [], log);

	const cluster = await openClusterTable({ file: paths.clusterRoutes, ownAddress: config.edgeAddress, log });
	cleanup.push("the cluster's routes", () => cluster.settled());

	const network = await openContainerNetwork(config, paths, log);
	cleanup.push("the containers' network", () => network.close());

	async function forgetProject(projectId: string) {
		// The holder may be down; what it holds ends with the container.
		void holder.remove({ projectId, ptyId: consolePtyId }).catch(reportTo(log, "a console was kept"));
		await versions.forget(projectId);
		await checkpoints.forget(projectId);
		await removeDocuments(paths.documents, projectId);
		await requests.remove(projectId);
	}

	const placements = createPlacements({
		engine,
		volumes,
		homes: createHomes(paths.homes),
		image: paths.image,
		templatesDirectory: config.templatesDirectory,
		slots: config.slots,
		network,
		stateFile: paths.desired,
		restoreVolume: checkpoints.restore,
		forgetProject,
		async leaveProject(projectId) {
			await checkpoints.leave(projectId);
			await forgetProject(projectId);
		},
		onChange(projectId) {
			const life = placements.life(projectId);
			if (life.state === "stopped") {
				void endPrograms(projectId);
				storage.settle([projectId]);
			}
			routes.update(projectId);
			workspaces.refresh(projectId);
			wakes.changed(projectId);
			control?.report(placements.observed([projectId]));
		},
		onPaused: (projectId) => storage.settle([projectId]),
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
		durability: checkpoints.durability,
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
	// It is told of the last checkpoints.
	cleanup.push("control", () => control?.close());
	// After the workspaces have written all that people typed.
	cleanup.push("checkpoints", async () => {
		const { drains } = await asked;
		await checkpoints.close(drains ? config.drainPatienceMs : handOverPatienceMs);
		if (drains) await checkpoints.reports.told(toldWithinMs);
	});
	cleanup.push("workspaces", () => workspaces.close());

	const runner = createRunner(workspaceDependencies, workspaces);
	const turns = createTurns();
	const quota = (projectId: string) => {
		const placement = placements.find(projectId);
		if (placement) return placement.limits.diskBytes;
		throw new RepldockError("not_placed_here", "This project is not on this server. Reload the page to find it.");
	};
	const versions = await startVersions({
		store,
		mountPoint: volumeStore(config, paths).mountPoint,
		volumes,
		owner,
		checkpoints,
		manifest: manifests.manifest,
		workspaces,
		ensureVolume: placements.ensureVolume,
		standStill: placements.standStill,
		writeDocuments,
		quota,
		turns,
		log,
	});
	cleanup.push("versions", () => versions.close());
	const { unfinished, ...transfers } = await startTransfers({
		engine,
		volumes,
		owner,
		workspaces,
		workspaceDependencies,
		ensureVolume: placements.ensureVolume,
		freezeVersion: versions.freeze,
		turns,
		spoolDirectory: paths.spool,
		log,
	});
	cleanup.push("exports", () => transfers.exports.close());

	const { sleep, wakes, cameBack, ...sleeping } = startSleep({
		placements,
		activity: edge.activity,
		workspaces,
		runner,
		programs,
		holder,
		routes,
		config,
		log,
	});

	const traffic = await startTraffic({
		sources: network,
		placements,
		terminals: holder,
		eachConnection,
		config,
		directory: paths.traffic,
		tell: (message) => control?.tell(message),
		log,
	});
	cleanup.push("traffic", () => traffic.close());

	const gateway = createGateway({
		log,
		accessSecret,
		nodeId: () => welcome?.nodeId ?? null,
		ticketKeys: () => welcome?.ticketKeys ?? [],
		siteOrigins: () => welcome?.siteOrigins ?? [],
		findPlacement: placements.find,
		waitForPlacement: placements.wait,
		visitorByToken: createVisitQuestions(site),
		lookUpSlug: routes.lookUp,
		workspaces,
		runner,
		wakes,
		wakeTimeoutMs: config.wakeTimeoutMs,
		requests,
		traffic,
		metrics: async () => [...containerMetrics(placements, config.slots), ...(await storage.metrics())],
		metricsToken: config.metricsToken,
		versions,
		...transfers,
	});

	programs.follow(
		{
			onSnapshot() {
				tellOrigins();
				traffic.holderConnected();
				for (const projectId of placements.projects()) tellRights(placements.find(projectId));
			},
			onChange(projectId) {
				workspaces.refresh(projectId);
				wakes.changed(projectId);
				if (programs.attached(projectId) > 0) cameBack(projectId);
			},
			onWait: traffic.terminalsWait,
		},
		stopped.signal,
	);
	await placements.recover();
	// A restore that was broken off had more than its project's quota.
	for (const projectId of unfinished) {
		if (!placements.find(projectId)) continue;
		await volumes.setQuota(projectId, quota(projectId)).catch(reportTo(log, "a project's quota was not set again"));
	}
	network.watch();
	// Containers may have ended while no agent looked.
	const stoppedProjects = placements.projects().filter((projectId) => placements.life(projectId).state === "stopped");
	await Promise.all(stoppedProjects.map(endPrograms));
	storage.settle(stoppedProjects);
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
		return placed.flatMap((placement) => (isDeparting(placement) ? [] : placement.domains));
	};
	const certificates = await startNodeCertificates(config, paths, edge, placedDomains(), log);
	cleanup.push("certificates", () => certificates?.close());
	await routes.publish().catch(reportTo(log, "the edge has no routes yet"));
	void edge.watch(stopped.signal);
	void requests.run(stopped.signal);
	traffic.begin();
	for (const projectId of placements.projects()) workspaces.refresh(projectId);
	// Edits that an agent which was killed had not yet written are in its journals.
	void workspaces
		.recover(placements.projects())
		.then(() => {
			editsRecovered = true;
		})
		.catch(reportTo(log, "unsaved edits wait for their project to be opened"));

	const storeWanted = createWanted({ checkpoints, tell: (message) => control?.tell(message), log });
	const closeGateway = await serveGateway(gateway, paths.agentSocket, config.systemUser);
	cleanup.push("gateway", closeGateway);

	control = connectControl({
		...site,
		name: config.nodeName,
		gatewayUrl: gatewayUrl(config),
		edgeAddress: config.edgeAddress,
		edgeTlsPort: config.httpsPort ?? null,
		slots: config.slots,
		machineId: await readMachineId(paths.machineId),
		storeId: storage.storeId,
		observed: () => placements.observed(),
		onWelcome(latest) {
			welcome = latest;
			tellOrigins();
			checkpoints.reports.tellAgain();
			routes.setHopSecret(latest.edgeSecret);
			traffic.siteConnected();
			network.siteIsAt(latest.siteAddresses);
			void writeWelcome(paths.welcome, latest).catch(reportTo(log, "the site's welcome was not kept"));
		},
		onCheckpointsRecorded: (recorded, orphaned) => checkpoints.reports.recorded(recorded, orphaned),
		onRoutes: (elsewhere) => routes.setElsewhere(elsewhere),
		onTrafficKept: traffic.trafficKept,
		onAlertsKept: traffic.alertsKept,
		onDesired(desired) {
			// The next agent hears of it.
			if (stopped.signal.aborted) return;
			const before = new Map(placements.projects().map((id) => [id, placements.find(id)?.rightsVersion]));
			heardDesired = true;
			void placements.apply(desired).catch(reportTo(log, "the desired placements were not reached"));
			checkpoints.refer(desired);
			storeWanted(desired);
			for (const placement of desired) {
				if (before.get(placement.projectId) !== placement.rightsVersion) tellRights(placement);
			}
			certificates?.wantDomains(placedDomains());
			for (const projectId of before.keys()) if (!placements.find(projectId)) routes.update(projectId);
			gateway.recheck();
		},
		log,
	});

	storage.begin(cleanup, stopped.signal);

	sleeping.begin();
	cleanup.push("sleep", sleeping.close);

	log.info({ projects: placements.projects().length }, "agent serves");
	const { drains } = await asked;
	// While pages are still served: what people type meanwhile is written after it.
	if (drains) await placements.endAll(containersEndWithinMs);
	stopped.abort();
	await cleanup.run();
	process.exit(0);
}

/**
 * The storage half of an agent as a process of its own, to be killed at any moment: volumes, documents, checkpoints and
 * the control socket are the real ones. It has no containers, no gateway and no edge, so that a round takes a second.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openFolderStore, openS3Store } from "@repldock/objects";
import type { CheckpointId, DesiredPlacement } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { createCheckpoints } from "../../../apps/node/src/checkpoints/checkpoints.ts";
import { createWanted } from "../../../apps/node/src/checkpoints/wanted.ts";
import { type ControlClient, connectControl } from "../../../apps/node/src/control/client.ts";
import { createManifestQuestions } from "../../../apps/node/src/control/manifests.ts";
import { openProjectFiles } from "../../../apps/node/src/host/files/project-files.ts";
import { settleStagings } from "../../../apps/node/src/host/files/staging-moves.ts";
import { createSnapshots } from "../../../apps/node/src/host/snapshots.ts";
import { createVolumeGrowth } from "../../../apps/node/src/host/volume-growth.ts";
import { createVolumes } from "../../../apps/node/src/host/volumes.ts";
import { readMachineId } from "../../../apps/node/src/machine-id.ts";
import { createDirectoryWatcher } from "../../../apps/node/src/workspace/directory-watcher.ts";
import type { DocumentClient } from "../../../apps/node/src/workspace/documents/document-client.ts";
import { holdsOpenDocuments, holdsUnsavedEdits } from "../../../apps/node/src/workspace/documents/recovery.ts";
import { createDocumentStore, type DocumentStore } from "../../../apps/node/src/workspace/documents/store.ts";
import type { AgentCalls, AgentSettings, FromAgent, ToAgent } from "./agent-messages.ts";
import { startAgentVersions } from "./agent-versions.ts";

const settings = JSON.parse(process.argv[2] ?? "") as AgentSettings;
const log = createLog(settings.name, process.env.REPLDOCK_TEST_LOG ?? "silent");
const owner = { uid: 300_000, gid: 300_000 };

// The kernel's clock is the whole machine's: a wrong one is this process's own.
const realNow = Date.now;
let clockAheadMs = settings.clockAheadMs;
Date.now = () => realNow() + clockAheadMs;

const tell = (message: FromAgent) => void process.send?.(message);

let listens = true;
let nodeId: string | null = null;
let placements = new Map<string, DesiredPlacement>();
let control: ControlClient | undefined;
const stores = new Map<string, DocumentStore>();
const clients = new Map<number, DocumentClient>();

const store = "folder" in settings.store ? await openFolderStore(settings.store.folder) : openS3Store(settings.store);
const volumes = createVolumes({ mountPoint: settings.mountPoint, owner });
await volumes.reclaim();
const documentsDirectory = join(settings.directory, "documents");
await mkdir(documentsDirectory, { recursive: true });
const site = { siteUrl: settings.siteUrl, nodeToken: settings.nodeToken };
const manifests = createManifestQuestions(site);
const checkpoints = await createCheckpoints({
	store,
	snapshots: createSnapshots(settings.mountPoint),
	volumes,
	stateFile: join(settings.directory, "checkpoints.json"),
	nodeId: () => nodeId,
	placement: (projectId) => placements.get(projectId),
	async writeDocuments(projectId) {
		const open = stores.get(projectId);
		if (open) return open.saveAll();
		return !(await holdsUnsavedEdits(join(documentsDirectory, projectId)));
	},
	manifest: manifests.manifest,
	report: (durable) => control?.reportCheckpoints(durable),
	onDurability: (projectId) =>
		tell({ type: "durability", projectId, durability: checkpoints.durability(projectId), atMs: Date.now() }),
	log,
	retry: { firstMs: 20, mostMs: 100 },
});
await checkpoints.recover();
const versions = await startAgentVersions({
	store,
	mountPoint: settings.mountPoint,
	volumes,
	owner,
	checkpoints,
	manifest: manifests.manifest,
	documents: documentsOf,
	quota: (projectId) => placements.get(projectId)?.limits.diskBytes ?? 0,
	log,
});
for (const projectId of await volumes.list()) {
	await settleStagings(volumes.path(projectId));
	if (await holdsOpenDocuments(join(documentsDirectory, projectId))) await documentsOf(projectId).recover();
}

function documentsOf(projectId: string): DocumentStore {
	const present = stores.get(projectId);
	if (present) return present;
	const files = openProjectFiles(volumes.path(projectId), owner);
	const opened = createDocumentStore({
		files,
		directory: join(documentsDirectory, projectId),
		log,
		onDirectories: () => watcher.watch(opened.directories()),
		onSettled: () => undefined,
		onEntryChanged: () => undefined,
	});
	const watcher = createDirectoryWatcher({ files, log, onChange: opened.directoryChanged });
	stores.set(projectId, opened);
	return opened;
}

function clientOf(client: number): DocumentClient {
	const present = clients.get(client);
	if (present) return present;
	const made: DocumentClient = {
		name: `page ${client}`,
		canEdit: true,
		send: (event) => tell({ type: "page", client, event, atMs: Date.now() }),
		sendFrame: (bytes) => tell({ type: "pageFrame", client, bytes }),
	};
	clients.set(client, made);
	return made;
}

async function placed(projectId: string): Promise<DesiredPlacement> {
	for (;;) {
		const placement = placements.get(projectId);
		if (placement) return placement;
		await delay(5);
	}
}

const round = () => checkpoints.round().catch((error: unknown) => log.error({ err: error }, "a round failed"));

const calls: { [Name in keyof AgentCalls]: (argument: Parameters<AgentCalls[Name]>[0]) => Promise<unknown> } = {
	async ensureVolume({ projectId }) {
		const placement = await placed(projectId);
		const isRestored = placement.stored && !(await volumes.exists(projectId));
		if (placement.stored) await checkpoints.restore(placement);
		const template = join(settings.templatesDirectory, placement.template);
		await volumes.create(projectId, template, placement.limits.diskBytes);
		return isRestored;
	},
	openDocument: ({ projectId, client, path }) => documentsOf(projectId).open(clientOf(client), path),
	frame: async ({ projectId, client, bytes }) => documentsOf(projectId).receive(clientOf(client), bytes),
	leave: async ({ projectId, client }) => documentsOf(projectId).leave(clientOf(client)),
	async save({ projectId, name }) {
		const { generation, sequence } = await checkpoints.save(projectId, "named", name);
		return `${generation}.${sequence}`;
	},
	async restoreVersion({ projectId, versionId }) {
		await placed(projectId);
		return (await versions.restore(projectId, versionId, { id: "owner", mayEdit: true })).undo.id;
	},
	async settle({ projectId }) {
		// What the site refuses to record is told no more either: then it is stored once more.
		for (;;) {
			const settled = await checkpoints.save(projectId, "named", "settled");
			await untilTold(projectId);
			if (await isRecorded(settled)) return;
		}
	},
	async forget({ projectId }) {
		await stores.get(projectId)?.dispose();
		stores.delete(projectId);
		placements.delete(projectId);
		await volumes.remove(projectId);
		await checkpoints.forget(projectId);
		await versions.forget(projectId);
	},
	async setClock({ aheadMs }) {
		clockAheadMs = aheadMs;
	},
	async stopListening() {
		listens = false;
	},
};

async function untilTold(projectId: string): Promise<void> {
	while (checkpoints.durability(projectId).problem !== null || checkpoints.reports.unreported().length > 0) {
		await round();
		await delay(10);
	}
}

async function isRecorded({ projectId, generation, sequence }: CheckpointId): Promise<boolean> {
	for (;;) {
		const chain = await manifests.manifest({ projectId, version: { generation, sequence } }).catch(() => null);
		if (chain) return chain.length > 0;
		await delay(50);
	}
}

const isAnswer = (result: unknown) => typeof result === "boolean" || typeof result === "string";

process.on("message", ({ call, name, argument }: ToAgent) => {
	(calls[name] as (argument: unknown) => Promise<unknown>)(argument).then(
		(result) => tell({ type: "reply", call, ...(isAnswer(result) ? { result } : {}) }),
		(error: unknown) => tell({ type: "reply", call, problem: error instanceof Error ? error.message : String(error) }),
	);
});
// The test is gone: nothing of it may stay.
process.on("disconnect", () => process.exit(1));

const storeWanted = createWanted({ checkpoints, tell: (message) => control?.tell(message), log });
control = connectControl({
	...site,
	name: settings.name,
	gatewayUrl: "http://node.localhost:8080",
	edgeAddress: "",
	edgeTlsPort: null,
	slots: 1_000,
	machineId: await readMachineId(join(settings.directory, "machine-id")),
	storeId: () => null,
	observed: () => [],
	onWelcome(welcome) {
		nodeId = welcome.nodeId;
		checkpoints.reports.tellAgain();
		tell({ type: "ready", nodeId });
	},
	onDesired(desired) {
		if (!listens) return;
		placements = new Map(desired.map((placement) => [placement.projectId, placement]));
		checkpoints.refer(desired);
		storeWanted(desired);
	},
	onRoutes: () => undefined,
	onTrafficKept: () => undefined,
	onAlertsKept: () => undefined,
	onCheckpointsRecorded: (recorded, orphaned) => void checkpoints.reports.recorded(recorded, orphaned),
	log,
});

setInterval(() => void round(), settings.checkpointEveryMs);
if (settings.growth) {
	const { file, bytes } = settings.growth;
	const megabyte = 1024 * 1024;
	const growth = createVolumeGrowth({
		store: { kind: "image", file, bytes },
		mountPoint: settings.mountPoint,
		log,
		sizes: { headroom: 100 * megabyte, step: 48 * megabyte, reserve: 16 * megabyte },
	});
	const look = () => void growth.look().catch((error: unknown) => log.error({ err: error }, "no growth"));
	setInterval(look, settings.checkpointEveryMs);
}

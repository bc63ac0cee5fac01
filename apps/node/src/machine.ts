import { connect } from "node:net";
import { join } from "node:path";
import { assumedUplinkBitsPerSecond, type Logger, measureUplink } from "@repldock/service";
import { gatewayUrl, type NodeConfig, type NodePaths } from "./config.ts";
import { drainSignal, drainTimeoutMs } from "./drain.ts";
import { chooseListenPort, ensureAppsAddress, releaseAppsAddress } from "./host/apps-address.ts";
import { findCable } from "./host/cables.ts";
import { type EdgeOptions, edgeProgram, prepareEdge } from "./host/edge-process.ts";
import { createEngine } from "./host/engine.ts";
import {
	containerdArguments,
	type EngineProcessOptions,
	engineArguments,
	prepareEngine,
	releaseEngine,
} from "./host/engine-process.ts";
import { mountHomes, unmountHomes } from "./host/homes.ts";
import { followKernel } from "./host/kernel-news.ts";
import { createNetwork } from "./host/network.ts";
import { removeShapingDevices } from "./host/shaping-devices.ts";
import { raiseSharedLimits, restoreSharedLimits, sharedLimitsDirectory } from "./host/shared-limits.ts";
import { chooseSubnet, gatewayAddress } from "./host/subnet.ts";
import { mountVolumes, unmountVolumes, type VolumeStore } from "./host/volume-mount.ts";
import { networkOptions, prepareNames, type ResolverPlan } from "./machine-network.ts";
import { startNodeFilter } from "./network/filter/start.ts";
import { createContainerNetwork } from "./network/network.ts";
import type { ShapingOptions } from "./network/shaping/objects.ts";
import { removeShaping } from "./network/shaping/remove.ts";
import { createShaping } from "./network/shaping/shaping.ts";
import { openSiteAddresses } from "./network/site-addresses.ts";
import { readSubnet, rememberSubnet } from "./subnet-file.ts";
import { planEdgeTls } from "./tls.ts";

/** How the supervisor starts the node's programs that are not ours. */
export interface NodePlan {
	containerd: { program: string; arguments: string[]; socket: string };
	engine: { program: string; arguments: string[] };
	edge: { program: string; arguments: string[] };
	/** Null when containers reach nothing anyway. */
	resolver: ResolverPlan | null;
	/** How the agent is asked to end together with the containers, and the time that it takes at most. */
	agent: { drainSignal: typeof drainSignal; drainTimeoutMs: number };
}

export function volumeStore(config: NodeConfig, paths: NodePaths): { store: VolumeStore; mountPoint: string } {
	const store: VolumeStore = config.volumesDevice
		? { kind: "device", path: config.volumesDevice }
		: {
				kind: "image",
				file: join(paths.data, "volumes.img"),
				...(config.volumesSizeBytes === undefined ? {} : { bytes: config.volumesSizeBytes }),
			};
	return { store, mountPoint: join(paths.data, "volumes") };
}

/** Bridge, filter, volumes, homes and configuration files: all that must be there before the engine starts. Repeatable. */
export async function prepareMachine(config: NodeConfig, paths: NodePaths): Promise<NodePlan> {
	const subnet = (await readSubnet(paths)) ?? (await chooseSubnet(config.subnet));
	await rememberSubnet(paths, subnet);
	await createNetwork(await networkOptions(config, paths, subnet)).ensure();
	if (config.shaping === "on") await createShaping(await shapingOptions(config, paths, subnet)).ensure();
	else await removeShaping(paths.bridge, { device: paths.shapingDevice, strayDevice: paths.strayDevice });
	await raiseSharedLimits(sharedLimitsDirectory, paths.instance);
	const { store, mountPoint } = volumeStore(config, paths);
	await mountVolumes(store, mountPoint);
	await mountHomes(paths.homes);
	const containerNameServers = config.egress === "open" ? [gatewayAddress(subnet)] : [];
	const resolver = await prepareNames(config, paths, subnet);
	const engine = engineOptions(paths, containerNameServers);
	await prepareEngine(engine);
	const tls = await planEdgeTls(config);
	const appsListenPort = await prepareAppsAddress(config, paths);
	const edge: EdgeOptions = {
		dataDirectory: paths.data,
		httpPort: config.httpPort,
		...(tls ? { tls } : {}),
		siteHost: new URL(config.siteUrl).hostname,
		siteUrl: config.siteUrl,
		gatewayHost: new URL(gatewayUrl(config)).hostname,
		appsDomain: config.appsDomain,
		containerSubnets: [subnet],
		noWakeAgents: config.noWakeAgents,
		user: config.systemUser,
		limits: {
			connections: config.appConnections,
			requestsPerSecond: config.appRequestsPerSecond,
			visitorConnections: config.appVisitorConnections,
			visitorRequestsPerSecond: config.appVisitorRequestsPerSecond,
			bodyBytes: config.appBodyBytes,
		},
		answerTimeoutMs: config.answerTimeoutMs,
		...(appsListenPort === undefined ? {} : { appsListenPort }),
	};
	await prepareEdge(edge);
	return {
		containerd: {
			program: "containerd",
			arguments: containerdArguments(engine),
			socket: join(engine.runDirectory, "containerd.sock"),
		},
		engine: { program: "dockerd", arguments: engineArguments(engine) },
		edge: edgeProgram(edge),
		resolver,
		agent: { drainSignal, drainTimeoutMs: drainTimeoutMs(config) },
	};
}

/** @returns the port of the edge's transparent socket; undefined when the apps have no address of their own. */
async function prepareAppsAddress(config: NodeConfig, paths: NodePaths): Promise<number | undefined> {
	if (config.appsAddress === undefined) {
		await releaseAppsAddress(paths.appsTable);
		return undefined;
	}
	const listenPort = await chooseListenPort(
		join(paths.data, "apps-listen-port"),
		paths.instance,
		await runs(paths.edgeSocket),
	);
	await ensureAppsAddress({
		address: config.appsAddress,
		table: paths.appsTable,
		listenPort,
		httpPort: config.httpPort,
		...(config.httpsPort === undefined ? {} : { httpsPort: config.httpsPort }),
	});
	return listenPort;
}

/** Whether a program answers on this socket. */
function runs(socketPath: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(socketPath);
		socket.once("error", () => resolve(false));
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
	});
}

/** Ends every container of this node, while its engine still runs. */
export async function endContainers(paths: NodePaths, log: Logger): Promise<void> {
	const engine = createEngine({ socketPath: paths.engineSocket, log });
	const containers = await engine.listContainers();
	// Two at a time: more only wait for each other.
	const queue = containers.map(({ id }) => id);
	const work = async () => {
		for (let id = queue.pop(); id; id = queue.pop()) await engine.removeContainer(id);
	};
	await Promise.all([work(), work()]);
	log.info({ containers: containers.length }, "containers ended");
}

/** Gives back what `prepareMachine` took from the machine; the engine must not run any more. Repeatable. */
export async function releaseMachine(config: NodeConfig, paths: NodePaths): Promise<void> {
	await releaseEngine(engineOptions(paths, []));
	await unmountHomes(paths.homes);
	const { store, mountPoint } = volumeStore(config, paths);
	await unmountVolumes(store, mountPoint);
	const subnet = await readSubnet(paths);
	if (subnet) await createNetwork(await networkOptions(config, paths, subnet)).release();
	await removeShapingDevices([paths.shapingDevice, paths.strayDevice]);
	await releaseAppsAddress(paths.appsTable);
	await restoreSharedLimits(sharedLimitsDirectory, paths.instance);
}

async function shapingOptions(config: NodeConfig, paths: NodePaths, subnet: string): Promise<ShapingOptions> {
	return {
		device: paths.shapingDevice,
		strayDevice: paths.strayDevice,
		subnet,
		uplinkBitsPerSecond:
			config.uplinkBitsPerSecond ?? (await measureUplink())?.bitsPerSecond ?? assumedUplinkBitsPerSecond,
		slots: config.slots,
		byOwner: config.shareByOwner,
		ingressBitsPerSecond: config.ingressPerContainerBitsPerSecond,
	};
}

/** The network of this node's containers; `prepareMachine` has made what it stands on. */
export async function openContainerNetwork(config: NodeConfig, paths: NodePaths, log: Logger) {
	const subnet = await readSubnet(paths);
	if (!subnet) throw new Error("The containers have no subnet yet; the machine was not prepared.");
	const shaping = config.shaping === "on" ? createShaping(await shapingOptions(config, paths, subnet)) : null;
	// Containers may run on that an agent with another configuration started.
	if (!shaping) await removeShaping(paths.bridge, { device: paths.shapingDevice, strayDevice: paths.strayDevice });
	const { siteUrl, egressSite } = config;
	const site =
		egressSite === "refused" ? await openSiteAddresses({ file: paths.siteAddresses, siteUrl, log }) : undefined;
	const filter = await startNodeFilter({ ...(await networkOptions(config, paths, subnet)), log });
	site?.onChange((addresses) => void filter.refuseSite(addresses));
	if (site) await filter.refuseSite(site.present());
	const network = createContainerNetwork({
		// What is let out is shaped already.
		parts: shaping ? [shaping, filter] : [filter],
		traffic: shaping,
		subnet,
		findCable: (pid) => findCable(pid, paths.bridge),
		follow: (onNews) => followKernel(onNews, log),
		log,
	});
	return {
		...network,
		refusals: filter.refusals,
		nameOf: filter.nameOf,
		nameUse: filter.nameUse,
		/** What the site says of where it and its database are. */
		siteIsAt: (addresses: readonly string[]) => site?.told(addresses),
		async close() {
			await site?.close();
			await network.close();
			await filter.close();
		},
	};
}

function engineOptions(paths: NodePaths, servers: string[]): EngineProcessOptions {
	return {
		dataDirectory: join(paths.data, "engine"),
		runDirectory: join(paths.run, "engine"),
		socketPath: paths.engineSocket,
		bridge: paths.bridge,
		nameServers: servers,
	};
}

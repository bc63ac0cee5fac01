import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { KernelNews } from "../host/kernel-news.ts";
import type { Member, NetworkPart, Shares, TrafficCounters, TrafficSource } from "./parts.ts";
import { createRepairs } from "./repairs.ts";
import { addressNumber, hostMask } from "./shaping/objects.ts";

/** A container as those who run it know it. */
export interface ConnectedContainer {
	containerId: string;
	/** Host process id of its first process. */
	pid: number;
	address: string;
	hardwareAddress: string;
}

/** The containers' network as a whole: who is in it, and that the kernel holds what they are to have. */
export interface ContainerNetwork extends TrafficSource {
	/**
	 * Call after the container's start and before its first program runs. When it throws, the container must not run on:
	 * nothing limits it.
	 */
	attach(container: ConnectedContainer, placement: DesiredPlacement): Promise<void>;
	/** As `attach` for containers that an earlier agent attached; what is right in the kernel stays. @returns those that failed. */
	adopt(containers: readonly { container: ConnectedContainer; placement: DesiredPlacement }[]): Promise<string[]>;
	/** Done when it returns; harmless when the policy is the same or the project has no container. */
	policyChanged(placement: DesiredPlacement): Promise<void>;
	/** Before a container is stopped: its cable goes with it, and the counters of the cable. */
	ending(projectId: string): Promise<void>;
	/** After the container's end. What cannot be taken away now is taken away by the next repair. */
	detach(projectId: string): Promise<void>;
	/** Mends what is not as it should be, in all parts. @returns a sentence for each difference. */
	repair(): Promise<string[]>;
	/** How many differences were mended since the agent started, by part. */
	repairs(): ReadonlyMap<NetworkPart["name"], number>;
	/** Repairs when the kernel tells of a change, and from time to time, until `close`, which waits for what is under way. */
	watch(): void;
	close(): Promise<void>;
}

export interface ContainerNetworkOptions {
	parts: readonly NetworkPart[];
	/** Of the part that shapes, when there is one. */
	traffic: {
		counters(): Promise<Map<string, TrafficCounters>>;
		shares(): Shares;
		note(projectId: string): Promise<void>;
		last(projectId: string): TrafficCounters | undefined;
	} | null;
	/** CIDR of the containers' addresses. */
	subnet: string;
	/** The node's end of a container's cable, by the process id of its first process. */
	findCable(pid: number): Promise<string>;
	/** Tells of changes in the kernel until the call that it returns; see host/kernel-news.ts. */
	follow?(onNews: (news: KernelNews) => void): () => Promise<void>;
	log: Logger;
	repairEveryMs?: number;
}

/** Differences of one repair that stand in the log, by part. */
const mostTold = 20;

export function createContainerNetwork(options: ContainerNetworkOptions): ContainerNetwork {
	const { parts, traffic, log } = options;
	const members = new Map<string, Member>();
	const listeners: ((projectId: string, counters: TrafficCounters) => void)[] = [];
	const repairs = new Map<NetworkPart["name"], number>();
	const mask = hostMask(options.subnet);
	let queue: Promise<unknown> = Promise.resolve();

	/** One change of the kernel at a time. */
	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const result = queue.then(work);
		queue = result.catch(() => undefined);
		return result;
	}

	async function toMember(container: ConnectedContainer, placement: DesiredPlacement): Promise<Member> {
		const { containerId, address, hardwareAddress, pid } = container;
		return {
			projectId: placement.projectId,
			ownerId: placement.owner.id,
			containerId,
			// The address tells it, so that every agent finds the same one.
			number: addressNumber(address) & mask,
			address,
			hardwareAddress,
			interfaceName: await options.findCable(pid),
			policy: placement.network,
		};
	}

	/** The parts side by side; the first failure is told once all are done, so that none still works on what is undone. */
	async function attachTo(member: Member): Promise<void> {
		const results = await Promise.allSettled(parts.map((part) => part.attach(member)));
		for (const result of results) if (result.status === "rejected") throw result.reason;
	}

	async function takeAway(member: Member): Promise<void> {
		members.delete(member.projectId);
		await Promise.all(
			parts.map((part) =>
				part.detach(member).catch((error: unknown) => {
					log.error({ err: error, projectId: member.projectId, part: part.name }, "a container's network was kept");
				}),
			),
		);
		const last = traffic?.last(member.projectId);
		if (last) for (const listener of listeners) listener(member.projectId, last);
	}

	/** The engine gives an address anew as soon as a container has ended, which may be before we hear of its end. */
	async function makeRoom(member: Member): Promise<void> {
		for (const other of [...members.values()]) {
			const isEarlier = other.projectId === member.projectId && other.containerId !== member.containerId;
			if (isEarlier || (other.number === member.number && other.containerId !== member.containerId)) {
				await takeAway(other);
			}
		}
	}

	async function repairNow(): Promise<string[]> {
		const present = [...members.values()];
		const results = await Promise.allSettled(parts.map((part) => part.repair(present)));
		const sentences = parts.flatMap((part, index) => {
			const result = results[index];
			const mended = result?.status === "fulfilled" ? result.value : [];
			repairs.set(part.name, (repairs.get(part.name) ?? 0) + mended.length);
			tellOf(part.name, mended);
			return mended;
		});
		for (const result of results) if (result.status === "rejected") throw result.reason;
		return sentences;
	}

	/** A device that is gone took thousands of things with it; some of them tell the story. */
	function tellOf(part: NetworkPart["name"], mended: readonly string[]) {
		for (const difference of mended.slice(0, mostTold)) log.warn({ part, difference }, "the network was mended");
		const others = mended.length - mostTold;
		if (others > 0) log.warn({ part, others }, "the network was mended in more places");
	}

	const repairing = createRepairs({
		repair: () => inTurn(repairNow),
		concerns: (news) => parts.map((part) => part.concerns(news)).includes(true),
		...(options.follow ? { follow: options.follow } : {}),
		...(options.repairEveryMs === undefined ? {} : { everyMs: options.repairEveryMs }),
		log,
	});

	return {
		attach: (container, placement) =>
			inTurn(async () => {
				const member = await toMember(container, placement);
				await makeRoom(member);
				members.set(member.projectId, member);
				try {
					await attachTo(member);
				} catch (error) {
					await takeAway(member);
					throw error;
				}
			}),

		adopt: (containers) =>
			inTurn(async () => {
				const failed: string[] = [];
				for (const { container, placement } of containers) {
					try {
						members.set(placement.projectId, await toMember(container, placement));
					} catch (error) {
						log.error({ err: error, projectId: placement.projectId }, "a container has no network");
						failed.push(placement.projectId);
					}
				}
				await repairNow();
				return failed;
			}),

		policyChanged: ({ projectId, network }) =>
			inTurn(async () => {
				const member = members.get(projectId);
				if (!member || JSON.stringify(member.policy) === JSON.stringify(network)) return;
				const changed = { ...member, policy: network };
				members.set(projectId, changed);
				await attachTo(changed);
			}),

		async ending(projectId) {
			await traffic?.note(projectId);
		},

		detach: (projectId) =>
			inTurn(async () => {
				const member = members.get(projectId);
				if (member) await takeAway(member);
			}),

		repair: () => inTurn(repairNow),
		repairs: () => repairs,

		watch: repairing.begin,

		async close() {
			await repairing.end();
			await queue;
		},

		counters: async () => (traffic ? traffic.counters() : new Map()),
		shares: () => traffic?.shares() ?? { uplinkBitsPerSecond: 0, floorBitsPerSecond: 0, byOwner: false },
		onDetached: (listener) => void listeners.push(listener),
	};
}

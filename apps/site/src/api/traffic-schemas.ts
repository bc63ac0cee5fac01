import { z } from "@hono/zod-openapi";
import * as protocol from "@repldock/protocol";

const { TrafficRate, NetworkAlert, NetworkRestriction, NodeTraffic } = protocol;

const NetworkedProject = z
	.object({
		id: z.uuid(),
		name: z.string(),
		slug: z.string(),
		ownerId: z.string(),
		ownerName: z.string(),
		restriction: z.object(NetworkRestriction.shape).nullable(),
		restrictedAt: z.string().nullable(),
		answer: z.string().nullable(),
	})
	.openapi("NetworkedProject");

const rates = {
	sentBitsPerSecond: TrafficRate.shape.sentBitsPerSecond,
	receivedBitsPerSecond: TrafficRate.shape.receivedBitsPerSecond,
};

/** A node's network as its page shows it. */
export const NodeTrafficView = z
	.object({
		node: z.object({ id: z.uuid(), name: z.string(), live: z.boolean(), slots: z.int(), running: z.int() }),
		/** Null when the node never told. */
		now: z.object({ ...NodeTraffic.omit({ atMs: true, top: true }).shape, at: z.string() }).nullable(),
		talkers: z.array(
			z.object({
				project: NetworkedProject,
				...rates,
				refusedPackets: z.int(),
				connections: z.int(),
			}),
		),
		/** Sums of the talkers of one owner. */
		owners: z.array(z.object({ id: z.string(), name: z.string(), projects: z.int(), ...rates })),
		restricted: z.array(NetworkedProject),
		alerts: z.array(
			z.object({
				id: z.uuid(),
				kind: NetworkAlert.shape.kind,
				detail: z.string(),
				noticedAt: z.string(),
				deliveredAt: z.string().nullable(),
				project: z.object({ id: z.uuid(), name: z.string(), slug: z.string(), ownerName: z.string() }),
			}),
		),
	})
	.openapi("NodeTrafficView");

import type { z } from "@hono/zod-openapi";
import type { NodeTraffic } from "@repldock/protocol";
import type { StoredAlert } from "../store/network-alerts.ts";
import type { NetworkedProject } from "../store/network-restrictions.ts";
import type { NodeStatus } from "../store/nodes.ts";
import type { NodeTrafficView } from "./traffic-schemas.ts";

type View = z.output<typeof NodeTrafficView>;

/** Puts together what is known of a node's network. Projects that are gone since the node told of them are left out. */
export function nodeTrafficView(
	node: NodeStatus,
	traffic: NodeTraffic | undefined,
	projects: readonly NetworkedProject[],
	alerts: readonly StoredAlert[],
): View {
	const shown = new Map(projects.map((project) => [project.id, projectView(project)]));
	const talkers = (traffic?.top ?? []).flatMap(({ projectId, ...rate }) => {
		const project = shown.get(projectId);
		return project ? [{ project, ...rate }] : [];
	});
	const { id, name, live, slots, running } = node;
	return {
		node: { id, name, live, slots, running },
		now: traffic ? nowView(traffic) : null,
		talkers,
		owners: ownersOf(talkers),
		restricted: [...shown.values()].filter(({ restriction }) => restriction !== null),
		alerts: alerts.map(({ projectId, projectName, slug, ownerName, ...alert }) => ({
			id: alert.id,
			kind: alert.kind,
			detail: alert.detail,
			noticedAt: alert.noticedAt.toISOString(),
			deliveredAt: alert.deliveredAt?.toISOString() ?? null,
			project: { id: projectId, name: projectName, slug, ownerName },
		})),
	};
}

function nowView({ atMs, top: _top, ...now }: NodeTraffic): NonNullable<View["now"]> {
	return { ...now, at: new Date(atMs).toISOString() };
}

function projectView(project: NetworkedProject) {
	return { ...project, restrictedAt: project.restrictedAt?.toISOString() ?? null };
}

function ownersOf(talkers: View["talkers"]): View["owners"] {
	const owners = new Map<string, View["owners"][number]>();
	for (const { project, sentBitsPerSecond, receivedBitsPerSecond } of talkers) {
		const before = owners.get(project.ownerId);
		owners.set(project.ownerId, {
			id: project.ownerId,
			name: project.ownerName,
			projects: (before?.projects ?? 0) + 1,
			sentBitsPerSecond: (before?.sentBitsPerSecond ?? 0) + sentBitsPerSecond,
			receivedBitsPerSecond: (before?.receivedBitsPerSecond ?? 0) + receivedBitsPerSecond,
		});
	}
	const carried = (owner: View["owners"][number]) => owner.sentBitsPerSecond + owner.receivedBitsPerSecond;
	return [...owners.values()].sort((one, other) => carried(other) - carried(one));
}

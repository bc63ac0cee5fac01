import type { PtyState } from "@repldock/protocol";
import type { HolderClient } from "./holder/client.ts";

/** What the holder last told of all PTYs on this node. */
export interface Programs {
	ptys(projectId: string): readonly PtyState[];
	/** Browser sockets that are attached to the project's PTYs. */
	attached(projectId: string): number;
	/**
	 * Follows the holder until the signal aborts. `onSnapshot` is the moment to tell it rights, origins and paces again,
	 * since it may be a new one; `onChange` names each project whose PTYs changed, `onWait` each whose terminals begin to
	 * wait for their pace.
	 */
	follow(
		listener: { onSnapshot(): void; onChange(projectId: string): void; onWait(projectId: string): void },
		signal: AbortSignal,
	): void;
}

export function createPrograms(holder: HolderClient): Programs {
	const known = new Map<string, { ptys: PtyState[]; attached: number }>();

	return {
		ptys: (projectId) => known.get(projectId)?.ptys ?? [],
		attached: (projectId) => known.get(projectId)?.attached ?? 0,
		follow({ onSnapshot, onChange, onWait }, signal) {
			holder.watch((event) => {
				if (event.type === "waits") return onWait(event.projectId);
				if (event.type === "project") {
					if (event.ptys.length === 0 && event.attached === 0) known.delete(event.projectId);
					else known.set(event.projectId, event);
					return onChange(event.projectId);
				}
				const before = [...known.keys()];
				known.clear();
				for (const project of event.projects) known.set(project.projectId, project);
				onSnapshot();
				for (const projectId of new Set([...before, ...known.keys()])) onChange(projectId);
			}, signal);
		},
	};
}

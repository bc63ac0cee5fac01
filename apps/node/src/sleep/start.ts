import { consolePtyId } from "@repldock/protocol";
import type { NodeConfig } from "../config.ts";
import type { HolderClient } from "../holder/client.ts";
import type { Programs } from "../programs.ts";
import { reportTo } from "../report-to.ts";
import type { Routes } from "../routes.ts";
import { checkEveryMs } from "./check-times.ts";
import { createSleep, type Sleep, type SleepOptions } from "./sleep.ts";
import { createWakes, type Wakes, type WakesOptions } from "./wakes.ts";

/** A screenful of a console's output, its colours included. */
const consoleTailBytes = 16 * 1024;

export interface SleepAndWakes {
	sleep: Sleep;
	wakes: Wakes;
	/** Somebody has it open: a page, or a terminal. */
	cameBack(projectId: string): void;
	/** Looks at the use of all containers from now on, until it is closed. */
	begin(): void;
	close(): void;
}

/** Puts to sleep what nobody uses, and wakes it for those who come. */
export function startSleep(
	options: Pick<SleepOptions, "activity" | "log"> &
		Pick<WakesOptions, "runner"> & {
			placements: SleepOptions["placements"] & WakesOptions["placements"];
			workspaces: WorkspacesWithPages;
			programs: Programs;
			holder: Pick<HolderClient, "tail">;
			routes: Pick<Routes, "update" | "delivered" | "ports">;
			config: Pick<NodeConfig, "pauseAfterMs" | "idleTimeoutMs" | "wakeTimeoutMs">;
		},
): SleepAndWakes {
	const { placements, workspaces, runner, programs, holder, routes, config, log } = options;

	async function announce(projectId: string) {
		routes.update(projectId);
		await routes.delivered();
	}

	const connections = (projectId: string) =>
		programs.attached(projectId) + (workspaces.present(projectId)?.connections() ?? 0);
	const sleep = createSleep({
		placements,
		times: { pauseAfterMs: config.pauseAfterMs ?? null, stopAfterMs: config.idleTimeoutMs ?? null },
		activity: options.activity,
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
	let timer: NodeJS.Timeout | undefined;

	function look() {
		wakes.keepOn();
		void sleep.check().catch(reportTo(log, "containers were not looked at for want of use"));
	}

	return {
		sleep,
		wakes,
		cameBack(projectId) {
			wakes.forgive(projectId);
			sleep.attend(projectId);
		},
		begin() {
			timer = setInterval(look, checkEveryMs(config));
			look();
		},
		close: () => clearInterval(timer),
	};
}

type WorkspacesWithPages = WakesOptions["workspaces"] & {
	/** Of a project whose files are open. */
	present(projectId: string): { connections(): number } | undefined;
};

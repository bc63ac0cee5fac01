import { consolePtyId, type PtyState, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Engine } from "../host.ts";
import type { ProjectPtys, StartMessage } from "./messages.ts";
import type { Paces } from "./paces.ts";
import { createPty, type Pty } from "./pty.ts";

/** More open terminals of one project than any person uses. */
const mostPtysPerProject = 32;

/** All PTYs of the node, by project. */
export interface Ptys {
	/** The PTY, if there is one; the console is there for every project. */
	find(projectId: string, ptyId: string): Pty | undefined;
	start(message: StartMessage): Promise<void>;
	stop(projectId: string, ptyId: string): Promise<void>;
	remove(projectId: string, ptyId: string): Promise<void>;
	reset(projectId: string): void;
	write(projectId: string, ptyId: string, text: string): void;
	/** The end of what it printed; empty when there is no such PTY. */
	tail(projectId: string, ptyId: string, bounds: { mostLines: number; mostBytes: number }): string;
	list(): ProjectPtys[];
	describe(projectId: string): ProjectPtys;
	/** Stops everything that runs. */
	stopAll(): Promise<void>;
}

/** @param onChange is called after a PTY of the project came, went, or changed its state or viewers. */
export function createPtys(options: {
	engine: Engine;
	log: Logger;
	paces: Paces;
	onChange(projectId: string): void;
}): Ptys {
	const { paces } = options;
	const projects = new Map<string, Map<string, Pty>>();

	function make(projectId: string, ptyId: string, kind: PtyState["kind"]): Pty {
		const ptys = projects.get(projectId) ?? new Map<string, Pty>();
		if (ptys.size >= mostPtysPerProject) {
			throw new RepldockError("too_many_requests", "Too many terminals are open. Close one and try again.");
		}
		const pace = () => paces.of(projectId);
		const pty = createPty({ ...options, ptyId, kind, pace, onChange: () => changed(projectId, ptyId) });
		ptys.set(ptyId, pty);
		projects.set(projectId, ptys);
		return pty;
	}

	/** A console that was only looked at need not be kept. */
	function changed(projectId: string, ptyId: string): void {
		const pty = projects.get(projectId)?.get(ptyId);
		if (pty?.isUnused) forget(projectId, ptyId);
		options.onChange(projectId);
	}

	function forget(projectId: string, ptyId: string): void {
		const ptys = projects.get(projectId);
		ptys?.get(ptyId)?.close();
		ptys?.delete(ptyId);
		if (ptys?.size === 0) projects.delete(projectId);
	}

	function find(projectId: string, ptyId: string): Pty | undefined {
		const found = projects.get(projectId)?.get(ptyId);
		return found ?? (ptyId === consolePtyId ? make(projectId, ptyId, "console") : undefined);
	}

	function describe(projectId: string): ProjectPtys {
		const ptys = [...(projects.get(projectId)?.values() ?? [])];
		return {
			projectId,
			ptys: ptys.map((pty) => pty.state),
			attached: ptys.reduce((sum, pty) => sum + pty.viewerCount, 0),
		};
	}

	return {
		find,
		async start(message) {
			const { projectId, ptyId, kind } = message;
			const existing = find(projectId, ptyId);
			const pty = existing ?? make(projectId, ptyId, kind);
			try {
				await pty.start(message);
			} catch (error) {
				if (!existing) forget(projectId, ptyId);
				throw error;
			}
		},
		async stop(projectId, ptyId) {
			await projects.get(projectId)?.get(ptyId)?.stop();
		},
		async remove(projectId, ptyId) {
			await projects.get(projectId)?.get(ptyId)?.stop();
			forget(projectId, ptyId);
			options.onChange(projectId);
		},
		reset(projectId) {
			for (const pty of projects.get(projectId)?.values() ?? []) pty.reset();
		},
		write(projectId, ptyId, text) {
			find(projectId, ptyId)?.write(text);
		},
		tail: (projectId, ptyId, bounds) => projects.get(projectId)?.get(ptyId)?.tail(bounds) ?? "",
		list: () => [...projects.keys()].map(describe),
		describe,
		async stopAll() {
			const ptys = [...projects.values()].flatMap((project) => [...project.values()]);
			await Promise.allSettled(ptys.map((pty) => pty.stop()));
		},
	};
}

import { setTimeout as wait } from "node:timers/promises";
import { type AppRequest, RepldockError, type RequestList, type VisitBatch } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Edge } from "../host.ts";
import { createLiveView, type LiveView } from "./live-view.ts";
import { createOpenSockets, type OpenSockets, withEnds } from "./open-sockets.ts";
import { createRequestFiles, withoutOldAddress } from "./request-files.ts";

/** What a viewer gets: `reset` with the first ones, which stand for all before. */
export interface RequestNews {
	requests: AppRequest[];
	more: number;
	reset: boolean;
}

/** The access log of all projects, for those who may edit them. */
export interface RequestLog {
	/** Takes over what the edge has to tell, until the signal aborts. Call it once. */
	run(signal: AbortSignal): Promise<void>;
	/** Newest first. */
	list(projectId: string, filter: { limit: number; status?: StatusFilter }): Promise<RequestList>;
	/** Sends the last requests at once, then new ones as they come. Returns what ends it; ending it twice is harmless. */
	follow(projectId: string, send: (news: RequestNews) => void): () => void;
	/** The project is gone. */
	remove(projectId: string): Promise<void>;
}

/** One status, or a class by its first digit. */
export type StatusFilter = { status: number } | { class: number };

/** Requests of one project that are remembered, and sent to a viewer at first. */
export const requestsKept = 500;
/** Projects whose requests are in memory; the others are read from their files when somebody asks. */
const projectsInMemory = 200;
/** Requests of one moment are fetched together. */
const fetchEveryMs = 250;
const retryMs = 1_000;
const expireEveryMs = 60 * 60 * 1000;

interface ProjectRequests {
	/** Oldest first. */
	requests: AppRequest[];
	nextId: number;
	views: Set<LiveView>;
	sockets: OpenSockets;
	/** What is done with the project at the moment; it stays in memory meanwhile. */
	users: number;
}

export function createRequestLog(options: {
	edge: Pick<Edge, "nextVisits" | "counters">;
	directory: string;
	/** 0: visitors' addresses are never kept. */
	addressesForMs: number;
	log: Logger;
	now?: () => number;
}): RequestLog {
	const { edge, addressesForMs, log } = options;
	const now = options.now ?? Date.now;
	const files = createRequestFiles({ directory: options.directory, addressesForMs, now });
	/** In the order of their last use. */
	const projects = new Map<string, Promise<ProjectRequests>>();
	const present = new Map<string, ProjectRequests>();
	/** Of the edge's counters, when it last told something. */
	let lastEpoch: string | undefined;

	async function load(projectId: string): Promise<ProjectRequests> {
		const requests = await files.readLast(projectId, requestsKept);
		const project = {
			requests,
			nextId: (requests.at(-1)?.id ?? 0) + 1,
			views: new Set<LiveView>(),
			sockets: createOpenSockets(requestsKept),
			users: 0,
		};
		present.set(projectId, project);
		return project;
	}

	async function using<T>(projectId: string, work: (project: ProjectRequests) => T | Promise<T>): Promise<T> {
		const loading = projects.get(projectId) ?? load(projectId);
		projects.delete(projectId);
		projects.set(projectId, loading);
		let project: ProjectRequests;
		try {
			project = await loading;
		} catch (error) {
			projects.delete(projectId);
			throw error;
		}
		project.users += 1;
		try {
			return await work(project);
		} finally {
			project.users -= 1;
			forgetUnused();
		}
	}

	function forgetUnused() {
		for (const projectId of projects.keys()) {
			if (projects.size <= projectsInMemory) return;
			const project = present.get(projectId);
			if (!project || project.users > 0 || project.views.size > 0) continue;
			projects.delete(projectId);
			present.delete(projectId);
		}
	}

	function shown(requests: readonly AppRequest[]): AppRequest[] {
		return requests.map((request) => withoutOldAddress(request, now(), addressesForMs));
	}

	async function take(projectId: string, records: VisitBatch["records"], more: number): Promise<void> {
		await using(projectId, async (project) => {
			const added: AppRequest[] = [];
			const ends: AppRequest[] = [];
			for (const { projectId: _project, socket, ...record } of records) {
				const opened = socket === null || record.open ? undefined : project.sockets.ended(socket);
				const id = opened ?? project.nextId++;
				if (socket !== null && record.open) project.sockets.opened(socket, id);
				const request = { ...record, id, address: addressesForMs === 0 ? null : record.address };
				(opened === undefined ? added : ends).push(request);
			}
			project.requests = withEnds([...project.requests, ...added].slice(-requestsKept), ends);
			for (const view of project.views) view.add(added, more, ends);
			// One that is open would be so for ever after a crash: it is kept when it ends.
			const over = [...added.filter(({ open }) => !open), ...ends];
			if (over.length > 0) await files.append(projectId, over);
		});
	}

	/** What was open when NGINX ended is over; how it was then, nobody saw. */
	function endSockets(project: ProjectRequests) {
		project.sockets.forget();
		const ends = project.requests.filter(({ open }) => open).map((request) => ({ ...request, open: false }));
		project.requests = withEnds(project.requests, ends);
		for (const view of project.views) view.add([], 0, ends);
	}

	async function takeBatch({ epoch, records, unrecorded }: VisitBatch): Promise<void> {
		if (epoch !== lastEpoch) for (const project of present.values()) endSockets(project);
		lastEpoch = epoch;
		const byProject = new Map<string, VisitBatch["records"]>(Object.keys(unrecorded).map((id) => [id, []]));
		for (const record of records) {
			const list = byProject.get(record.projectId);
			if (list) list.push(record);
			else byProject.set(record.projectId, [record]);
		}
		const work = [...byProject].map(([projectId, list]) =>
			take(projectId, list, unrecorded[projectId] ?? 0).catch((error: unknown) =>
				log.error({ err: error, projectId }, "visitors' requests could not be kept"),
			),
		);
		await Promise.all(work);
	}

	function expire() {
		files.expire().catch((error: unknown) => log.error({ err: error }, "old visitors' addresses are still on disk"));
	}

	return {
		async run(signal) {
			expire();
			const timer = setInterval(expire, expireEveryMs);
			while (!signal.aborted) {
				let pauseMs = 0;
				try {
					const batch = await edge.nextVisits(signal);
					await takeBatch(batch);
					if (batch.records.length > 0) pauseMs = fetchEveryMs;
				} catch (error) {
					pauseMs = retryMs;
					const away = error instanceof RepldockError && error.code === "node_unreachable";
					if (!away) log.error({ err: error }, "the edge's record of visitors' requests was not understood");
				}
				// Rejects when the signal aborts, which the loop's condition then sees.
				if (pauseMs > 0) await wait(pauseMs, undefined, { signal }).catch(() => undefined);
			}
			clearInterval(timer);
		},

		async list(projectId, { limit, status }) {
			const requests = await using(projectId, (project) => shown(project.requests));
			const wanted = status ? requests.filter((request) => matches(request.status, status)) : requests;
			const totals = await edge
				.counters(projectId)
				.then((counters) => counters.projects[projectId] ?? null)
				.catch((error: unknown) => {
					if (error instanceof RepldockError && error.code === "node_unreachable") return null;
					throw error;
				});
			return { requests: wanted.slice(-limit).reverse(), totals };
		},

		follow(projectId, send) {
			let ended = false;
			const view = createLiveView((requests, more) => send({ requests, more, reset: false }));
			let project: ProjectRequests | undefined;
			using(projectId, (loaded) => {
				if (ended) return;
				project = loaded;
				send({ requests: shown(loaded.requests), more: 0, reset: true });
				loaded.views.add(view);
			}).catch((error: unknown) => log.error({ err: error, projectId }, "visitors' requests could not be read"));
			return () => {
				ended = true;
				view.close();
				project?.views.delete(view);
			};
		},

		async remove(projectId) {
			projects.delete(projectId);
			present.delete(projectId);
			await files.remove(projectId);
		},
	};
}

function matches(status: number, filter: StatusFilter): boolean {
	return "status" in filter ? status === filter.status : Math.floor(status / 100) === filter.class;
}

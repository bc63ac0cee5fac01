import { ProjectId, PtySize, PtyState } from "@repldock/protocol";
import { z } from "zod";

/**
 * Agent → holder, HTTP with JSON over `holder-control.sock`: `POST /<name>` with the message as body, answered with
 * 204, what it asked for, or a problem; `GET /list` → HolderSnapshot; `GET /sent` → SentCounts; `GET /watch` → lines
 * of WatchEvent until the agent hangs up. The holder keeps nothing on disk: an agent that reconnects sends
 * `setOrigins`, `setPaces` and the `setRights` of its placements again.
 */

export const PtyId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** Environment variable by whose value the processes of a PTY are found again. */
export const markerVariable = "REPLDOCK_PTY";

const Environment = z.record(z.string(), z.string());

export const StartMessage = z.object({
	projectId: ProjectId,
	ptyId: PtyId,
	kind: PtyState.shape.kind,
	containerId: z.string().regex(/^[0-9a-f]{12,64}$/),
	command: z.array(z.string()).min(1),
	environment: Environment,
	workingDirectory: z.string().startsWith("/"),
	size: PtySize,
	title: z.string(),
	/** Value of REPLDOCK_PTY for the program: `<ptyId>:<random>`, never used twice. The holder makes one when left out. */
	marker: z
		.string()
		.regex(/^[A-Za-z0-9_-]+:[A-Za-z0-9_-]{8,}$/)
		.optional(),
});
export type StartMessage = z.input<typeof StartMessage>;

/** `stop` ends the whole process tree of a PTY and is answered when none of it is left; `remove` also forgets it. */
export const StopMessage = z.object({ projectId: ProjectId, ptyId: PtyId });
export type StopMessage = z.infer<typeof StopMessage>;

/** The project's container is gone: whatever ran in it has ended. */
export const ResetMessage = z.object({ projectId: ProjectId });
export type ResetMessage = z.infer<typeof ResetMessage>;

/** Prints text of the agent's own; `\n` begins a new line. The console is made when there is none yet. */
export const WriteMessage = z.object({ projectId: ProjectId, ptyId: PtyId, text: z.string().max(64 * 1024) });
export type WriteMessage = z.infer<typeof WriteMessage>;

/** Asks for the end of what a PTY printed, as it was printed; answered with 200 and a Tail. */
export const TailMessage = z.object({
	projectId: ProjectId,
	ptyId: PtyId,
	mostLines: z.int().min(1).max(1000),
	mostBytes: z
		.int()
		.min(1)
		.max(64 * 1024),
});
export type TailMessage = z.infer<typeof TailMessage>;
export const Tail = z.object({ text: z.string() });

/** Access tokens of a lower rights version are refused from now on, and their sockets closed. */
export const SetRightsMessage = z.object({ projectId: ProjectId, rightsVersion: z.int() });
export type SetRightsMessage = z.infer<typeof SetRightsMessage>;

/** Origins whose pages may open sockets, for example `http://localhost:8080`. */
export const SetOriginsMessage = z.object({ origins: z.array(z.string()) });
export type SetOriginsMessage = z.infer<typeof SetOriginsMessage>;

const Pace = z.int().min(1);

/** How many bytes a second the terminals of one project show at the most, to all viewers together; null: no limit. */
export const SetPacesMessage = z.object({
	/** Of every project that has none of its own. */
	bytesPerSecond: Pace.nullable(),
	projects: z.record(ProjectId, Pace),
});
export type SetPacesMessage = z.infer<typeof SetPacesMessage>;

/** What a project's viewers were sent. */
export const SentCount = z.object({
	projectId: ProjectId,
	/** Names the count: one of another name began at 0. */
	count: z.string(),
	sentBytes: z.int().nonnegative(),
	/** Some of it had to wait for the pace, now or a moment ago. */
	waits: z.boolean(),
});
export type SentCount = z.infer<typeof SentCount>;
export const SentCounts = z.object({ projects: z.array(SentCount) });

/** All PTYs of one project, and how many browser sockets are attached to them. */
export const ProjectPtys = z.object({ projectId: ProjectId, ptys: z.array(PtyState), attached: z.int() });
export type ProjectPtys = z.infer<typeof ProjectPtys>;

export const HolderSnapshot = z.object({ projects: z.array(ProjectPtys) });
export type HolderSnapshot = z.infer<typeof HolderSnapshot>;

/** The first event is the snapshot; then each project that changed, whole, or whose terminals begin to wait for their pace. */
export const WatchEvent = z.discriminatedUnion("type", [
	HolderSnapshot.extend({ type: z.literal("snapshot") }),
	ProjectPtys.extend({ type: z.literal("project") }),
	z.object({ type: z.literal("waits"), projectId: ProjectId }),
]);
export type WatchEvent = z.infer<typeof WatchEvent>;

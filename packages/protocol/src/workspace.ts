import { z } from "zod";
import { Durability } from "./checkpoints.ts";
import { Problem } from "./errors.ts";
import { ContainerState } from "./project.ts";
import { AppRequest } from "./requests.ts";
import { TrafficDetails, TrafficSample } from "./traffic.ts";

/**
 * Browser ↔ node: everything under `<gatewayUrl>/projects/<projectId>/`. HTTP requests carry `Authorization: Bearer
 * <access token>`, sockets the subprotocols `repldock` and `access.<token>`. Errors are problem+json.
 *
 *   POST   /access                      AccessRequest → AccessGrant (outside of /projects)
 *   GET    /state                       → WorkspaceState
 *   GET    /files?path=                 → DirectoryListing
 *   GET    /files/content?path=         → the bytes (ranges honoured; `&download=1` names the file)
 *   PUT    /files/content?path=         bytes → FileEntry (`&overwrite=0` refuses an existing one)
 *   POST   /files/directory             CreateDirectory → FileEntry
 *   POST   /files/move                  MoveFile → FileEntry
 *   DELETE /files?path=                 → 204
 *   POST   /run                         RunRequest → RunStarted
 *   POST   /stop                        → 204 once the whole process tree is gone
 *   POST   /terminals                   PtySize → PtyCreated
 *   DELETE /ptys/<ptyId>                → 204
 *   POST   /export                      ExportRequest → ExportReady, whose address gives the archive once
 *   POST   /import                      the bytes of an archive → ImportDone (ImportTarget in the query)
 *   POST   /import/git                  ImportGit → ImportDone
 *   POST   /import/unpack               UnpackFile → ImportDone: an archive that is in the project already
 *   …      /versions…                   see versions.ts
 *   GET    /requests?limit=             → RequestList: what visitors asked of the app (`&status=404`, or `4xx`; `edit` only)
 *   GET    /events   (socket)           WorkspaceEvent down, WorkspaceCommand up, document frames both ways
 *   GET    /ptys/<ptyId>?after=<offset> (socket) output down, input up; see PtyEvent and PtyCommand
 */

/**
 * A path inside a project: relative, `/` between names, no empty, `.` or `..` part; `""` is the project folder itself.
 * Names may hold anything else that Linux allows and UTF-8 can say, at most 255 bytes each.
 */
export const ProjectPath = z
	.string()
	.max(4096)
	.refine(
		(path) => path === "" || path.split("/").every((name) => name !== "" && name !== "." && name !== ".."),
		"Use a path inside the project.",
	)
	.refine((path) => !path.includes("\0"), "A path cannot hold a NUL character.");

export const FileEntry = z.object({
	name: z.string(),
	kind: z.enum(["file", "directory", "link", "other"]),
	/** Bytes; 0 for anything but files. */
	size: z.int(),
	/** Milliseconds since 1970. */
	modifiedAtMs: z.number(),
});
export type FileEntry = z.infer<typeof FileEntry>;

/** Entries of one directory: directories first, then by name. `truncated` when it holds more than is listed. */
export const DirectoryListing = z.object({ path: z.string(), entries: z.array(FileEntry), truncated: z.boolean() });
export type DirectoryListing = z.infer<typeof DirectoryListing>;

export const CreateDirectory = z.object({ path: ProjectPath });
export const MoveFile = z.object({ from: ProjectPath, to: ProjectPath });

/** `file` runs that file by its language instead of what `.replit` says. */
export const RunRequest = z.object({
	file: ProjectPath.optional(),
	columns: z.int().min(1).max(1000).default(80),
	rows: z.int().min(1).max(1000).default(24),
});
export const RunStarted = z.object({
	ptyId: z.string(),
	/** What is executed, for the person to read. */
	command: z.string(),
	/** Things of `.replit` that could not be honoured, in sentences. */
	warnings: z.array(z.string()),
});
export type RunStarted = z.infer<typeof RunStarted>;

export const PtySize = z.object({ columns: z.int().min(1).max(1000), rows: z.int().min(1).max(1000) });
export type PtySize = z.infer<typeof PtySize>;
export const PtyCreated = z.object({ ptyId: z.string() });
export type PtyCreated = z.infer<typeof PtyCreated>;

/** A pseudo-terminal of the project and what runs in it. */
export const PtyState = z.object({
	ptyId: z.string(),
	kind: z.enum(["console", "terminal"]),
	/** The title for its tab: the command, or what the shell last set. */
	title: z.string(),
	running: z.boolean(),
	startedAtMs: z.number().nullable(),
	/** Set once the program ended; 128 + signal when a signal ended it. */
	exitCode: z.int().nullable(),
	runTimeMs: z.number().nullable(),
	/** A sentence when the program ended for a reason that its exit code does not tell (out of memory, stopped by you). */
	note: z.string().nullable(),
});
export type PtyState = z.infer<typeof PtyState>;

/** A port on which a program in the container listens. */
export const OpenPort = z.object({
	port: z.int().min(1).max(65_535),
	/** Port numbers that mean it to visitors, the one that `.replit` gives it first; empty when nobody may visit it. */
	externals: z.array(z.int().min(1).max(65_535)),
	/** Where the web view finds it; null when nobody may visit it. */
	url: z.string().nullable(),
	main: z.boolean(),
});
export type OpenPort = z.infer<typeof OpenPort>;

/** All that a page shows of a project's life; sent whole whenever it changes. */
export const WorkspaceState = z.object({
	container: ContainerState,
	problem: Problem.nullable(),
	ptys: z.array(PtyState),
	ports: z.array(OpenPort),
	/** Files and directories that `.replit` hides from the tree: glob patterns. */
	hidden: z.array(z.string()),
	/** The file that the editor opens first; null when none is named or found. */
	entrypoint: z.string().nullable(),
	disk: z.object({ usedBytes: z.int(), limitBytes: z.int() }),
	durability: Durability,
	people: z.array(z.object({ userId: z.string(), name: z.string() })),
});
export type WorkspaceState = z.infer<typeof WorkspaceState>;

/** Text frames that the node sends on the events socket. */
export const WorkspaceEvent = z.discriminatedUnion("type", [
	z.object({ type: z.literal("state"), state: WorkspaceState }),
	/** Entries of these directories changed; only watched ones are told. */
	z.object({ type: z.literal("filesChanged"), directories: z.array(z.string()) }),
	/**
	 * A document is open under `document`, the number that binary frames carry. `epoch` names the history that its Yjs
	 * state belongs to: a client that reconnects with another epoch's state must start afresh and put its unsaved
	 * edits in again.
	 */
	z.object({
		type: z.literal("documentOpened"),
		path: z.string(),
		document: z.int(),
		epoch: z.string(),
	}),
	z.object({ type: z.literal("documentRefused"), path: z.string(), problem: Problem }),
	/** Everything up to this Yjs state vector (base64) is in the file on disk. */
	z.object({ type: z.literal("documentSaved"), document: z.int(), stateVector: z.string() }),
	/** The file could not be written; the edits are kept and written when it can be. */
	z.object({ type: z.literal("documentNotSaved"), document: z.int(), problem: Problem }),
	/** The file was moved or removed; the client closes the tab or follows. */
	z.object({ type: z.literal("documentMoved"), document: z.int(), path: z.string().nullable() }),
	/**
	 * Requests of visitors, oldest first, to a client that follows them; `reset` with the first ones, which replace what
	 * it has. `more`: how many came besides that are not shown.
	 */
	z.object({ type: z.literal("requests"), requests: z.array(AppRequest), more: z.int(), reset: z.boolean() }),
	/**
	 * What the project sends and receives, oldest first, to a client that follows it; `reset` with the first samples, which
	 * replace what it has. `details` when they may have changed.
	 */
	z.object({
		type: z.literal("traffic"),
		reset: z.boolean(),
		samples: z.array(TrafficSample),
		/** What it is sure of, and what it can have at most; 0: not known. */
		floorBitsPerSecond: z.number(),
		ceilingBitsPerSecond: z.number(),
		details: TrafficDetails.nullable(),
	}),
	z.object({ type: z.literal("pong"), at: z.number() }),
]);
export type WorkspaceEvent = z.infer<typeof WorkspaceEvent>;

/** Text frames that a client sends on the events socket. */
export const WorkspaceCommand = z.discriminatedUnion("type", [
	/** Replaces the set of directories whose changes the client wants to hear of. */
	z.object({ type: z.literal("watch"), directories: z.array(ProjectPath).max(500) }),
	z.object({ type: z.literal("openDocument"), path: ProjectPath }),
	z.object({ type: z.literal("closeDocument"), document: z.int() }),
	/** Whether the client wants to hear of visitors' requests; heeded with the right to edit only. */
	z.object({ type: z.literal("followRequests"), follow: z.boolean() }),
	/** Whether the client wants to hear of the project's traffic; heeded with the right to edit only. */
	z.object({ type: z.literal("followTraffic"), follow: z.boolean() }),
	z.object({ type: z.literal("ping"), at: z.number() }),
]);
export type WorkspaceCommand = z.infer<typeof WorkspaceCommand>;

/**
 * Text frames that the holder sends on a PTY socket; binary frames are output bytes. `offset` counts the bytes that
 * the PTY ever printed: a client that reconnects asks for what comes after the last one it has.
 */
export const PtyEvent = z.discriminatedUnion("type", [
	/**
	 * First frame, and again when the client fell too far behind. The output that follows begins at `offset`; `reset`
	 * when that is not where the client left off: it then clears its screen.
	 */
	z.object({
		type: z.literal("attached"),
		offset: z.int(),
		/** Output up to here is a replay: answers of the terminal to queries in it must not be sent. */
		end: z.int(),
		reset: z.boolean(),
		state: PtyState,
		size: PtySize,
	}),
	/** The program started, ended or changed its title. */
	z.object({ type: z.literal("state"), state: PtyState }),
	z.object({ type: z.literal("resized"), size: PtySize }),
	/**
	 * A flood was interrupted by Ctrl-C: the client may leave out what it has received and not yet shown. The output that
	 * follows begins at `offset`.
	 */
	z.object({ type: z.literal("skipped"), offset: z.int() }),
	z.object({ type: z.literal("closed") }),
]);
export type PtyEvent = z.infer<typeof PtyEvent>;

/** Text frames that a client sends on a PTY socket; binary frames are input bytes. */
export const PtyCommand = z.discriminatedUnion("type", [
	z.object({ type: z.literal("resize"), size: PtySize }),
	/** The client has processed all output up to this offset. */
	z.object({ type: z.literal("acknowledge"), offset: z.int() }),
]);
export type PtyCommand = z.infer<typeof PtyCommand>;

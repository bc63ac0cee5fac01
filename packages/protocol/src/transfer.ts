import { z } from "zod";
import { VersionId } from "./versions.ts";
import { ProjectPath } from "./workspace.ts";

/** What a project is taken away as. `dependencies: false` leaves out what package managers bring back. */
export const ExportRequest = z.object({
	format: z.enum(["zip", "tar.zst"]),
	dependencies: z.boolean().default(true),
	/** Of which version; without it, what the files are now. */
	version: VersionId.optional(),
});
export type ExportRequest = z.input<typeof ExportRequest>;

/**
 * An archive that is ready to be fetched, once and soon, at `path` under the gateway's address. No token is needed
 * there, so that a browser can save it like any download.
 */
export const ExportReady = z.object({
	path: z.string(),
	/** Name of the archive. */
	name: z.string(),
	files: z.int(),
	/** Bytes of all files, unpacked. */
	bytes: z.int(),
});
export type ExportReady = z.infer<typeof ExportReady>;

/** Where an import goes: instead of all files of the project, or as a new folder in `folder`, called `name` or nearly so. */
export const ImportTarget = z.discriminatedUnion("into", [
	z.object({ into: z.literal("project") }),
	z.object({ into: z.literal("folder"), folder: ProjectPath.default(""), name: z.string().min(1).max(200) }),
]);
export type ImportTarget = z.infer<typeof ImportTarget>;

/** `url`: https, without a password. `history: "full"` brings all commits, not the latest alone. */
export const ImportGit = z.object({
	url: z.string().max(2_000),
	history: z.enum(["latest", "full"]).default("latest"),
	target: ImportTarget,
});
export type ImportGit = z.input<typeof ImportGit>;

/** Unpacks an archive of the project into a new folder beside it. */
export const UnpackFile = z.object({ path: ProjectPath });

export const ImportDone = z.object({
	/** The folder that holds it; `""` for the project itself. */
	path: z.string(),
	/** Files, folders and links; null where nobody counted. */
	entries: z.int().nullable(),
});
export type ImportDone = z.infer<typeof ImportDone>;

import { z } from "zod";
import { CheckpointKind, VersionName } from "./checkpoints.ts";
import { Project, ProjectName, Slug } from "./project.ts";
import { ProjectPath } from "./workspace.ts";

/**
 * Versions: checkpoints as people see them.
 *
 * The site knows which there are (`/api/v1/projects/<id>/versions`), a node has their files
 * (`<gateway>/projects/<id>/versions`):
 *
 *   site     GET   /versions?before=&named=1&limit= → VersionList, the newest first
 *   site     PATCH /versions/<version>              ChangeVersion → Version
 *   gateway  POST  /versions                        SaveVersion → Version: the files as they are now, durable
 *   gateway  GET   /versions/<version>/files?path=  → DirectoryListing
 *   gateway  GET   /versions/<version>/content?path=   → the bytes (ranges; `&download=1` names the file)
 *   gateway  GET   /versions/<version>/changes      → VersionChanges: what has changed since then
 *   gateway  POST  /versions/<version>/restore      RestoreVersion → VersionRestored
 *
 * Whoever may see a project may see its versions; saving, naming and restoring need `edit`.
 */

/** Names a version in addresses: `<generation>.<sequence>` of its checkpoint. */
export const VersionId = z.string().regex(/^[1-9][0-9]{0,8}\.[1-9][0-9]{0,15}$/, "This is not the name of a version.");
export type VersionId = z.infer<typeof VersionId>;

export const Version = z.object({
	id: VersionId,
	kind: CheckpointKind,
	name: VersionName.nullable(),
	takenAt: z.iso.datetime(),
	/** Its server had lost the project to another one: what was made there and is in no later version. */
	recovered: z.boolean(),
	/** Whether the project would be restored to it if its server were lost now. */
	current: z.boolean(),
});
export type Version = z.infer<typeof Version>;

/** `next` is `before` of the following page; null on the last. */
export const VersionList = z.object({ versions: z.array(Version), next: VersionId.nullable() });
export type VersionList = z.infer<typeof VersionList>;

export const SaveVersion = z.object({ name: VersionName });

/** A version without a name is thinned out as it grows old. */
export const ChangeVersion = z.object({ name: VersionName.nullable() });

export const FileChange = z.object({
	path: ProjectPath,
	/**
	 * What happened to it since the version; of an added or removed folder only the folder itself is told. What is of another
	 * kind now is told twice: as removed, then as added.
	 */
	change: z.enum(["added", "removed", "modified"]),
	kind: z.enum(["file", "directory", "link", "other"]),
});
export type FileChange = z.infer<typeof FileChange>;

/** By path. `truncated` when there are more than are told. */
export const VersionChanges = z.object({
	changes: z.array(FileChange),
	truncated: z.boolean(),
	/** Files of the same size and time that were too large to be read and compared: they are not told as changed. */
	unread: z.int().nonnegative().default(0),
});
export type VersionChanges = z.infer<typeof VersionChanges>;

/** A file or folder alone, or without a path the whole project. */
export const RestoreVersion = z.object({ path: ProjectPath.optional() });

/** `POST <site>/api/v1/projects/<id>/fork`: a new project that begins as this one is, or as one version of it was. */
export const ForkProject = z.object({
	/** Defaults to one made from the origin's. */
	name: ProjectName.optional(),
	/** Defaults to one made from the name. */
	slug: Slug.optional(),
	version: VersionId.optional(),
});
export type ForkProject = z.infer<typeof ForkProject>;

export const ProjectForked = Project.extend({
	/**
	 * The fork begins as its origin was then: what is newer could not be had. Null when it is as the origin was when it was
	 * asked for, or as the version that was asked for.
	 */
	asOf: z.iso.datetime().nullable(),
});
export type ProjectForked = z.infer<typeof ProjectForked>;

/** `undo`: the version that holds what was there before. */
export const VersionRestored = z.object({ undo: Version });
export type VersionRestored = z.infer<typeof VersionRestored>;

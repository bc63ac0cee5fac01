import { z } from "zod";
import { versionNameMostLength } from "./constants.ts";
import { NodeId, ProjectId, ProjectName, Slug, TemplateId, UserId, Visibility } from "./project.ts";

/**
 * Checkpoints: read-only snapshots of a volume that the object store has acknowledged. A full one holds all files, an
 * incremental one what changed since its parent; the chain from a full one to a checkpoint restores the volume.
 */

/** Names a checkpoint for ever. Later ones of a project are greater, by generation first. */
export const CheckpointId = z.object({
	projectId: ProjectId,
	/** Generation of the placement under which it was taken. */
	generation: z.int().positive(),
	sequence: z.int().positive(),
});
export type CheckpointId = z.infer<typeof CheckpointId>;

/** Why it was taken: something changed, a person wished so, or all files were about to be replaced. */
export const CheckpointKind = z.enum(["change", "named", "before-restore"]);
export type CheckpointKind = z.infer<typeof CheckpointKind>;

export const VersionName = z.string().trim().min(1).max(versionNameMostLength);

export const Checkpoint = CheckpointId.extend({
	/** What it builds on; null when it is full. A fork's first one builds on a checkpoint of its origin. */
	parent: CheckpointId.nullable(),
	kind: CheckpointKind,
	name: VersionName.nullable(),
	/** When the snapshot was taken: what was in files by then is in it. */
	takenAt: z.iso.datetime(),
	/** Where its bytes are: a stream of `btrfs send`, compressed with zstd. */
	key: z.string().min(1).max(512),
	start: z.int().nonnegative(),
	/**
	 * 0 for a reference: its files are its parent's. By it the objects tell of a fork that nobody has opened yet. It restores
	 * nothing by itself, and nothing builds on it.
	 */
	bytes: z.int().nonnegative(),
	/** SHA-256 of these bytes, in hexadecimal. */
	sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export const isReference = ({ bytes }: Pick<Checkpoint, "bytes">) => bytes === 0;

/** What an object says of a checkpoint's project, so that a lost database can be made anew. */
export const ProjectFacts = z.object({
	name: ProjectName.optional(),
	slug: Slug,
	template: TemplateId,
	visibility: Visibility,
	ownerId: UserId,
});
export type ProjectFacts = z.infer<typeof ProjectFacts>;

/** Nothing is held up by facts that are no longer understood, such as an address that came to be reserved. */
const tolerantFacts = ProjectFacts.optional().catch(undefined);

/** One entry of the index that ends an object; the key is that of the object. Older ones say nothing of the project. */
export const PackEntry = Checkpoint.omit({ key: true }).extend({ project: tolerantFacts });
export type PackEntry = z.infer<typeof PackEntry>;

/** A checkpoint as the objects alone tell of it: a line of what `rebuild-index` hands to the site. */
export const StoredCheckpoint = Checkpoint.extend({ project: tolerantFacts });
export type StoredCheckpoint = z.infer<typeof StoredCheckpoint>;

/**
 * `POST <site>/api/node/manifests`, `Authorization: Bearer <node token>`: what restores a project, the full checkpoint
 * first; without an id its current state. An empty chain: nothing of it was ever made durable.
 */
export const manifestsPath = "/api/node/manifests";
export const ManifestQuestion = z.object({
	projectId: ProjectId,
	version: CheckpointId.omit({ projectId: true }).optional(),
});
export type ManifestQuestion = z.infer<typeof ManifestQuestion>;
export const ManifestAnswer = z.object({ chain: z.array(Checkpoint) });
export type ManifestAnswer = z.infer<typeof ManifestAnswer>;

/** `POST <site>/api/node/objects`: which of these objects no manifest names, so that they can be removed. */
export const unnamedObjectsPath = "/api/node/objects";
export const UnnamedObjectsQuestion = z.object({ keys: z.array(z.string().max(512)).max(1000) });
export type UnnamedObjectsQuestion = z.infer<typeof UnnamedObjectsQuestion>;
export const UnnamedObjectsAnswer = z.object({
	unnamed: z.array(z.string()),
	/**
	 * The database does not know what was stored before: another one did, which is lost. Such objects must not be removed
	 * for want of a name.
	 */
	knowsSince: z.iso.datetime(),
});
export type UnnamedObjectsAnswer = z.infer<typeof UnnamedObjectsAnswer>;

/**
 * `POST <site>/api/node/scrub`: which object the node is to read back next, of those that hold checkpoints of its projects
 * or of projects that are nowhere. Repeating a question is harmless.
 */
export const scrubPath = "/api/node/scrub";
export const ScrubQuestion = z.object({
	nodeId: NodeId,
	/** In which all objects are to be read once, in milliseconds. */
	periodMs: z.int().positive(),
	/** The last one that was read, and what was found. */
	done: z
		.object({
			key: z.string().max(512),
			findings: z.array(
				z.object({
					checkpoint: CheckpointId,
					problem: z.enum(["missing", "damaged"]),
					detail: z.string().max(1000),
				}),
			),
		})
		.nullable(),
});
export type ScrubQuestion = z.infer<typeof ScrubQuestion>;
export const ScrubAnswer = z.object({
	/** What its next object holds; empty when it has none. */
	checkpoints: z.array(Checkpoint),
	/** How long to wait before it is read. */
	waitMs: z.int().nonnegative(),
	/** Projects of the node whose present state cannot be restored from the store: those with a volume are stored in full, at once. */
	storeAnew: z.array(ProjectId).default([]),
});
export type ScrubAnswer = z.infer<typeof ScrubAnswer>;

/** Until when a project's work outlives the loss of its server. */
export const Durability = z.object({
	/** The time of the latest durable checkpoint; null before the first. */
	upTo: z.iso.datetime().nullable(),
	/** Why later work is not durable, in a sentence; null while all goes well. */
	problem: z.string().nullable(),
});
export type Durability = z.infer<typeof Durability>;

import { z } from "zod";
import { projectNameMaxLength, reservedSlugs, slugPattern } from "./constants.ts";
import { Problem } from "./errors.ts";
import { NetworkRestriction } from "./network.ts";

export const ProjectId = z.uuid();
export const NodeId = z.uuid();
export const UserId = z.string().min(1).max(64);

/** A project's host name under the apps domain. */
export const Slug = z
	.string()
	.regex(slugPattern, "Use 1 to 48 small letters, digits and single hyphens; begin and end with a letter or digit.")
	.refine((slug) => !reservedSlugs.includes(slug), "This address is reserved; choose another one.");

export const ProjectName = z
	.string()
	.trim()
	.min(1, "Give the project a name.")
	.max(projectNameMaxLength, `Use at most ${projectNameMaxLength} characters.`)
	.refine((name) => !/\p{Cc}/u.test(name), "Leave out line breaks and control characters.");

export const TemplateId = z.string().regex(/^[a-z0-9-]{1,40}$/);

/** Who may visit the app and see the project: `public` everyone, `private` the owner. */
export const Visibility = z.enum(["public", "private"]);
export type Visibility = z.infer<typeof Visibility>;

/**
 * A container's life as its node sees it. `problem` says why for `failed`. `paused`: nobody uses it, its programs stand
 * still in memory.
 */
export const ContainerState = z.enum(["stopped", "starting", "running", "paused", "stopping", "failed"]);
export type ContainerState = z.infer<typeof ContainerState>;

/**
 * A project's state as people see it. `asleep`: nobody uses it, and a visit wakes it, whether its container is paused or
 * has ended for want of use; `stopped`: its owner stopped it, and only its owner starts it again.
 */
export const ProjectState = z.enum(["stopped", "starting", "running", "asleep", "stopping", "failed"]);
export type ProjectState = z.infer<typeof ProjectState>;

/** What one container may use. Memory and disk in bytes, processors in cores. */
export const Limits = z.object({
	memoryBytes: z.int().positive(),
	cpus: z.number().positive(),
	pids: z.int().positive(),
	diskBytes: z.int().positive(),
});
export type Limits = z.infer<typeof Limits>;

/** A project as the API shows it. Times are ISO 8601. */
export const Project = z.object({
	id: ProjectId,
	name: z.string(),
	slug: z.string(),
	template: z.string(),
	visibility: Visibility,
	ownerName: z.string(),
	/** Where its app is on the web, for example `http://my-app.localhost:8080/`. */
	url: z.string(),
	state: ProjectState,
	problem: Problem.nullable(),
	/** An administrator's grant: it does not fall asleep when nobody uses it. */
	alwaysOn: z.boolean(),
	/** What an administrator did to its network and why, and what its owner answered; null to people who may only look. */
	networkRestriction: NetworkRestriction.nullable(),
	networkAnswer: z.string().nullable(),
	createdAt: z.string(),
	updatedAt: z.string(),
	openedAt: z.string().nullable(),
	/** Set while the project is in the trash, from where it can be restored until `purgeAt`. */
	deletedAt: z.string().nullable(),
	purgeAt: z.string().nullable(),
});
export type Project = z.infer<typeof Project>;

export const CreateProject = z.object({
	template: TemplateId,
	/** Defaults to the template's name. */
	name: ProjectName.optional(),
	/** Defaults to one made from the name. */
	slug: Slug.optional(),
	visibility: Visibility.default("private"),
});

export const UpdateProject = z
	.object({ name: ProjectName, slug: Slug, visibility: Visibility })
	.partial()
	.refine((change) => Object.keys(change).length > 0, "Say what to change.");

/** One entry of `templates/index.json`. */
export const Template = z.object({
	id: TemplateId,
	name: z.string(),
	description: z.string(),
	language: z.string(),
	entrypoint: z.string(),
	kind: z.enum(["program", "web"]),
});
export type Template = z.infer<typeof Template>;

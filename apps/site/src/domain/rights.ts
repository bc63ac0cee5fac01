import type { Rights } from "@repldock/protocol";

/** The part of a person that rights depend on; null is a visitor who is not signed in. */
export type Actor = { readonly id: string; readonly role: "admin" | "user" } | null;

export interface Guarded {
	readonly ownerId: string;
	readonly visibility: "public" | "private";
	readonly deletedAt: Date | null;
}

/**
 * What a person may do with a project: its owner and administrators edit it, everyone else sees public ones. A project
 * in the trash is there for its owner and administrators alone.
 * @returns null when the person may not even know that it exists.
 */
export function rightsOn(project: Guarded, actor: Actor): Rights | null {
	if (actor && (actor.id === project.ownerId || actor.role === "admin")) return "edit";
	return project.visibility === "public" && project.deletedAt === null ? "view" : null;
}

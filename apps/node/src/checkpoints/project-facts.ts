import { type DesiredPlacement, ProjectFacts } from "@repldock/protocol";

/** What is kept of a project beside its checkpoints. What the site says is not held up by what does not fit. */
export function factsOf({ name, slug, template, visibility, owner }: DesiredPlacement): ProjectFacts | undefined {
	return ProjectFacts.safeParse({ name, slug, template, visibility, ownerId: owner.id }).data;
}

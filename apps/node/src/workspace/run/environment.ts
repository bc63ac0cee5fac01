import { declaredMainPort } from "./ports.ts";
import type { ProjectFile } from "./project-file-shape.ts";

/** What programs of a project find in their environment, before `[env]` of `.replit` is added. */
export interface EnvironmentInput {
	project: { id: string; slug: string; ownerName: string };
	projectFile: ProjectFile;
	/** Domain of the apps' host names, for example `localhost`. */
	appsDomain: string;
	/** The toolchain's own variables; `${REPL_HOME}` in a value is the project folder. */
	preset: Readonly<Record<string, string>>;
}

const reference = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/** As the preset writes it. */
const homeReference = /\$\{REPL_HOME\}/g;

/** Names that PATH is known by in values. */
const pathReference = /\$(?:\{PATH\}|PATH(?![A-Za-z0-9_]))/;

/** The folder in which a project's files are, inside its container. */
export function projectHome(slug: string): string {
	return `/home/runner/${slug}`;
}

export function programEnvironment({
	project,
	projectFile,
	appsDomain,
	preset,
}: EnvironmentInput): Record<string, string> {
	const home = projectHome(project.slug);
	const domain = `${project.slug}.${appsDomain}`;
	const port = declaredMainPort(projectFile);
	const toolchain = Object.entries(preset).map(([name, value]) => [name, value.replace(homeReference, () => home)]);
	return {
		...Object.fromEntries(toolchain),
		REPL_ID: project.id,
		REPL_SLUG: project.slug,
		REPL_OWNER: project.ownerName,
		REPL_LANGUAGE: projectFile.language ?? projectFile.modules[0]?.split(/[-:]/, 1)[0] ?? "",
		REPL_HOME: home,
		REPLIT_DEV_DOMAIN: domain,
		REPLIT_DOMAINS: domain,
		...(port === null ? {} : { PORT: String(port) }),
	};
}

/**
 * Replaces `$NAME` and `${NAME}` by earlier variables and the given environment; unknown ones are empty. A PATH that
 * does not mention the old one goes before it, since projects mean that even when they do not write it.
 */
export function planEnvironment(
	variables: readonly (readonly [string, string])[],
	given: Readonly<Record<string, string>>,
): Record<string, string> {
	const known = new Map(Object.entries(given));
	const planned = new Map<string, string>();
	for (const [name, value] of variables) {
		let expanded = value.replace(
			reference,
			(_whole, braced?: string, bare?: string) => known.get(braced ?? bare ?? "") ?? "",
		);
		const before = known.get("PATH");
		if (name === "PATH" && before && !pathReference.test(value)) expanded = `${expanded}:${before}`;
		if (expanded.length > valueMostLength) continue;
		known.set(name, expanded);
		planned.set(name, expanded);
	}
	return Object.fromEntries(planned);
}

/** The kernel refuses longer ones (128 KiB with the name); values that refer to each other grow fast. */
const valueMostLength = 100_000;

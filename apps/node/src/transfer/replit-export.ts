import { readEntryPath } from "./entry-path.ts";

/** Caches, and the index of Replit's package manager: made anew by whoever misses them. */
const caches: ReadonlySet<string> = new Set([".cache", ".upm"]);

/** Of a virtual environment, whose programs name an interpreter of the machine on which it was made. */
const environmentMark = "pyvenv.cfg";
const pythonPackages = ".pythonlibs";

/**
 * What of a project's archive is left out, for a project that names itself one by `.replit` at its top or in its only folder:
 * caches, and packages of Python that work on Replit's machines alone. Without `.replit` nothing is.
 * @param paths of all entries.
 * @throws RepldockError `invalid_archive` as `readEntryPath`.
 */
export async function findLeftOut(paths: AsyncIterable<Buffer>): Promise<(path: readonly Buffer[]) => boolean> {
	const tops = new Set<string>();
	const marks = new Set<string>();
	for await (const path of paths) {
		const names = readEntryPath(path)
			.slice(0, 4)
			.map((name) => name.toString("latin1"));
		const [top] = names;
		if (top === undefined) continue;
		// One more than one is all there is to know.
		if (tops.size < 2) tops.add(top);
		const last = names.at(-1);
		if (last === ".replit" || last === environmentMark) marks.add(names.join("/"));
	}
	const [only = ""] = tops;
	const depth = tops.size === 1 ? 1 : 0;
	const folder = depth === 1 ? `${only}/` : "";
	if (!marks.has(`${folder}.replit`)) return () => false;
	const leftOut = new Set(caches);
	if (marks.has(`${folder}${pythonPackages}/${environmentMark}`)) leftOut.add(pythonPackages);
	return (path) => leftOut.has(path[depth]?.toString("latin1") ?? "");
}

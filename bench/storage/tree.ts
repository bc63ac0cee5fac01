import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * A project as people have them: 2,000 files of their own and 15,000 of dependencies, 158 MB in all, the same in every
 * run. Its text is made of identifiers and punctuation, so that `tar | zstd -3` makes about 59 MB of it, as it does of
 * real packages.
 */
export const treeShape = { sourceFiles: 2_000, dependencyFiles: 15_000, bytes: 158e6 };

const sourceMeanBytes = 3_000;
const filesPerFolder = 25;
const identifiers = 9_000;
const syllables = [
	"re",
	"con",
	"tex",
	"par",
	"se",
	"node",
	"val",
	"in",
	"der",
	"at",
	"map",
	"lo",
	"ix",
	"que",
	"st",
	"um",
];
const shapes = [
	"export function %(%, %) {",
	"\tconst % = %.%(%, #);",
	"\tif (% === #) return %.%(#);",
	"\tfor (const % of %.%) %.push(%);",
	'import { %, % } from "./%.js";',
	'\tthrow new %("% % % % %");',
	"\t// % % % % % % %",
	"\treturn { %: %, %: %(%) };",
	"\t%: #, // % #",
	"}",
];

/** Numbers from 0 to 1, the same for the same seed. */
export function createRandom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

export function createWriter(seed: number): (bytes: number) => string {
	const random = createRandom(seed);
	const pick = <T>(list: readonly T[], share = random()) => list[Math.floor(share * list.length)] as T;
	const words = Array.from({ length: identifiers }, () =>
		Array.from({ length: 2 + Math.floor(random() * 3) }, () => pick(syllables)).join(""),
	);
	return (bytes) => {
		const lines: string[] = [];
		for (let left = bytes; left > 0; ) {
			// Few words are used often, most of them seldom.
			const line = `${pick(shapes).replaceAll(/[%#]/g, (mark) => (mark === "#" ? String(Math.floor(random() * 1e6)) : pick(words, random() ** 1.5)))}\n`;
			lines.push(line);
			left -= line.length;
		}
		return lines.join("");
	};
}

/** Makes the tree below a directory. */
export async function makeTree(directory: string): Promise<void> {
	const { sourceFiles, dependencyFiles, bytes } = treeShape;
	const random = createRandom(7);
	const write = createWriter(8);
	await writeFiles(sourceFiles, sourceMeanBytes, (at) =>
		join("src", `part${Math.floor(at / filesPerFolder)}`, `file${at}.js`),
	);
	await writeFiles(dependencyFiles, (bytes - sourceFiles * sourceMeanBytes) / dependencyFiles, (at) => {
		const folder = Math.floor(at / filesPerFolder);
		return join("node_modules", `package${Math.floor(folder / 4)}`, `lib${folder % 4}`, `module${at}.js`);
	});

	async function writeFiles(count: number, meanBytes: number, nameOf: (at: number) => string) {
		for (let at = 0; at < count; at += 1) {
			const file = join(directory, nameOf(at));
			if (at % filesPerFolder === 0) await mkdir(join(file, ".."), { recursive: true });
			// Between almost nothing and twice the mean.
			await writeFile(file, write(random() * 2 * meanBytes));
		}
	}
}

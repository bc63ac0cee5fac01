import { type Problem, RepldockError, toProblem } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { ProjectFiles } from "../host-files.ts";
import { planWithFiles } from "./file-probe.ts";
import { emptyProjectFile, findEntrypoint, type ProjectFile, parseProjectFile } from "./run/index.ts";

const projectFileName = ".replit";
const projectFileMaxBytes = 64 * 1024;

/** The project's `.replit` as it stands; the last valid one while it is being edited. */
export interface ProjectFileReader {
	current(): ProjectFile;
	/** The file that the editor opens first; null when none is named or found. */
	entrypoint(): string | null;
	/** Reads it anew. @returns whether anything that others see changed. */
	refresh(): Promise<boolean>;
	/** Reads it for a run. @throws RepldockError `invalid_project_file` when it cannot be understood. */
	read(): Promise<{ file: ProjectFile; warnings: string[] }>;
	/** Why the last one could not be read. */
	problem(): Problem | null;
}

export function createProjectFileReader(files: ProjectFiles, log: Logger): ProjectFileReader {
	let current = emptyProjectFile;
	let entrypoint: string | null = null;
	let problem: Problem | null = null;

	async function read() {
		let bytes: Uint8Array;
		try {
			bytes = await files.readFile(projectFileName, { maxBytes: projectFileMaxBytes });
		} catch (error) {
			if (error instanceof RepldockError && error.code === "file_not_found") {
				return { file: emptyProjectFile, warnings: [] };
			}
			if (!(error instanceof RepldockError)) throw error;
			throw new RepldockError("invalid_project_file", ".replit cannot be read. Make it a small text file.", {
				cause: error,
			});
		}
		return parseProjectFile(Buffer.from(bytes).toString("utf8"));
	}

	return {
		current: () => current,
		entrypoint: () => entrypoint,
		problem: () => problem,
		read,

		async refresh() {
			const before = JSON.stringify([current, entrypoint, problem]);
			try {
				current = (await read()).file;
				problem = null;
			} catch (error) {
				problem = toProblem(error);
				if (problem.code === "internal") log.error({ err: error }, ".replit could not be read");
			}
			entrypoint = await planWithFiles(files, (has) => findEntrypoint(current, has));
			return before !== JSON.stringify([current, entrypoint, problem]);
		},
	};
}

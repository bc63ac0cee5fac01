import { RepldockError } from "@repldock/protocol";
import { parse, TomlError } from "smol-toml";
import { readCommand, readPorts, readSettings, readWorkflows } from "./project-file-parts.ts";
import type { ProjectFile } from "./project-file-shape.ts";

export type { ProjectFile } from "./project-file-shape.ts";

/** A project without a `.replit`. */
export const emptyProjectFile: ProjectFile = parseProjectFile("").file;

/**
 * Reads `.replit`. Unknown keys are ignored; a known key of a wrong type is ignored with a warning.
 * @returns warnings as sentences for the person.
 * @throws RepldockError `invalid_project_file` with line and column when it is not TOML.
 */
export function parseProjectFile(text: string): { file: ProjectFile; warnings: string[] } {
	const document = parseToml(text);
	const warnings: string[] = [];
	const { runButton, workflows } = readWorkflows(document.workflows, warnings);
	const file: ProjectFile = {
		...readSettings(document, warnings),
		run: readCommand(document.run, "run", warnings),
		compile: readCommand(document.compile, "compile", warnings) ?? readCommand(document.build, "build", warnings),
		onBoot: readCommand(document.onBoot, "onBoot", warnings),
		ports: readPorts(document.ports, warnings),
		runButton,
		workflows,
	};
	return { file, warnings };
}

function parseToml(text: string): Record<string, unknown> {
	try {
		// Windows editors begin files with a byte order mark.
		return parse(text.replace(/^\uFEFF/, ""));
	} catch (error) {
		if (!(error instanceof TomlError)) throw error;
		const reason = error.message.split("\n", 1)[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML";
		const place = `line ${error.line}, column ${error.column}`;
		throw new RepldockError(
			"invalid_project_file",
			`.replit is not valid at ${place}: ${reason}. Correct it and try again.`,
			{
				cause: error,
			},
		);
	}
}

import { RepldockError } from "@repldock/protocol";
import { planEnvironment } from "./environment.ts";
import { type Language, languageOfFile, languagesInOrder } from "./languages.ts";
import type { ProjectCommand, ProjectFile } from "./project-file-shape.ts";
import { quoteAll, sequence } from "./shell.ts";
import { findWorkflow, planWorkflow } from "./workflow.ts";

/** What Run executes. */
export interface RunPlan {
	/** Program and arguments for one exec in the project folder. */
	command: readonly string[];
	/** What the project adds to the environment; for names that are in both, this counts. */
	environment: Record<string, string>;
	/** The command as a person would write it. */
	title: string;
	/** What could not be honoured, in sentences. */
	warnings: string[];
	/** The port that the program is expected to open. */
	expectedPort: number | null;
	/** The expected port is meant for the web view. */
	webview: boolean;
	/** The file that the run is about; the editor shows it. */
	entrypoint: string | null;
}

export interface RunInput {
	projectFile: ProjectFile;
	/** Whether the project has a file of this path. */
	has: (path: string) => boolean;
	/** Runs this file by its language, whatever `.replit` says. */
	requestedFile?: string | undefined;
	/** What the program gets anyway; `[env]` may refer to it. */
	environment: Readonly<Record<string, string>>;
}

interface Choice {
	/** A shell text, or words that no shell looks at. */
	command: string | readonly string[];
	title: string;
	environment?: readonly (readonly [string, string])[];
	port?: { port: number; webview: boolean } | null;
	entrypoint?: string;
}

const titleMostLength = 200;
const shellWords = ["&&", "||", ";", "|", "&", ">", ">>", "<"];

/**
 * Decides what Run does: the requested file, else `run`, the run button's workflow, `entrypoint`, or the first default
 * file of a language that is there.
 * @throws RepldockError `nothing_to_run` with a sentence that says what to do, `file_not_found` for a requested file.
 */
export function planRun(input: RunInput): RunPlan {
	const { projectFile } = input;
	const warnings: string[] = [];
	const choice =
		input.requestedFile === undefined ? choose(input, warnings) : chooseRequested(input, input.requestedFile);
	const { command, title, environment = [], port = null } = choice;
	return {
		command: typeof command === "string" ? ["/bin/bash", "-c", command] : command,
		environment: planEnvironment([...projectFile.environment, ...environment], input.environment),
		title: shorten(title),
		warnings,
		expectedPort: port?.port ?? null,
		webview: port?.webview ?? false,
		entrypoint: choice.entrypoint ?? findEntrypoint(projectFile, input.has),
	};
}

/** The file that the editor opens first: `entrypoint` if it is there, else a language's default file. */
export function findEntrypoint(file: ProjectFile, has: (path: string) => boolean): string | null {
	const named = file.entrypoint === null ? null : relative(file.entrypoint);
	if (named !== null && has(named)) return named;
	return findDefaultFile(file, has)?.file ?? null;
}

/** What `onBoot` executes when the container starts; null when there is none. */
export function planBoot(
	projectFile: ProjectFile,
	environment: Readonly<Record<string, string>>,
): Pick<RunPlan, "command" | "environment" | "title"> | null {
	const { onBoot } = projectFile;
	if (!onBoot) return null;
	const script = commandText(onBoot);
	return {
		command: "shell" in onBoot ? ["/bin/bash", "-c", onBoot.shell] : onBoot.arguments,
		environment: planEnvironment([...projectFile.environment, ...onBoot.environment], environment),
		title: shorten(script),
	};
}

function choose(input: RunInput, warnings: string[]): Choice {
	const { projectFile, has } = input;
	if (projectFile.run) return chooseCommand(projectFile, projectFile.run, warnings);
	const workflow = findWorkflow(projectFile, warnings);
	if (workflow) {
		const plan = planWorkflow(projectFile, workflow, has);
		warnings.push(...plan.warnings);
		if (plan.script !== null) return { command: plan.script, title: workflow.name, port: plan.port };
		warnings.push(`The workflow "${workflow.name}" has no step that can be run.`);
	}
	return chooseEntrypoint(projectFile, has, warnings) ?? chooseDefault(projectFile, has);
}

function chooseCommand(file: ProjectFile, run: ProjectCommand, warnings: string[]): Choice {
	const title = commandText(run);
	const { environment } = run;
	for (const [key, command] of [["compile", file.compile] as const, ["run", run] as const]) {
		const word = command && "arguments" in command ? shellWords.find((w) => command.arguments.includes(w)) : undefined;
		if (word === undefined) continue;
		warnings.push(
			`\`${key}\` in .replit is a list, so "${word}" is passed to the program as it stands. Write one text to use the shell.`,
		);
	}
	if (!file.compile && "arguments" in run) return { command: run.arguments, title, environment };
	const steps = [...(file.compile ? [commandText(file.compile)] : []), commandText(run)];
	const compileEnvironment = file.compile?.environment ?? [];
	return { command: sequence(steps), title, environment: [...compileEnvironment, ...environment] };
}

function chooseEntrypoint(file: ProjectFile, has: (path: string) => boolean, warnings: string[]): Choice | null {
	if (file.entrypoint === null) return null;
	const entrypoint = relative(file.entrypoint);
	const language = entrypoint === null ? undefined : languageOfFile(entrypoint);
	if (entrypoint === null || !has(entrypoint)) {
		warnings.push(`The entrypoint "${file.entrypoint}" that .replit names is not there.`);
	} else if (!language) {
		warnings.push(`The entrypoint "${file.entrypoint}" is in no language that is known here; set \`run\` in .replit.`);
	} else return chooseFile(entrypoint, language, has);
	return null;
}

function chooseDefault(file: ProjectFile, has: (path: string) => boolean): Choice {
	const found = findDefaultFile(file, has);
	if (found) return chooseFile(found.file, found.language, has);
	throw new RepldockError(
		"nothing_to_run",
		'There is nothing to run yet. Add a file such as main.py or index.js, or set a command in .replit: run = "…"',
	);
}

function chooseRequested({ has }: RunInput, file: string): Choice {
	if (!has(file))
		throw new RepldockError("file_not_found", `There is no file ${file}. It may have been moved or deleted.`);
	const language = languageOfFile(file);
	if (language) return chooseFile(file, language, has);
	throw new RepldockError(
		"nothing_to_run",
		`${file} is in no language that can be run by itself. Set a command in .replit: run = "…"`,
	);
}

function chooseFile(file: string, language: Language, has: (path: string) => boolean): Choice {
	const command = language.run(file, has);
	const port = language.port === undefined ? null : { port: language.port, webview: true };
	return { command, title: command, port, entrypoint: file };
}

function findDefaultFile(
	file: ProjectFile,
	has: (path: string) => boolean,
): { file: string; language: Language } | null {
	for (const language of languagesInOrder(file.language, file.modules)) {
		const found = language.defaultFiles.find(has);
		if (found !== undefined) return { file: found, language };
	}
	return null;
}

function commandText(command: ProjectCommand): string {
	return "shell" in command ? command.shell : quoteAll(command.arguments);
}

/** Entrypoints are written with and without a leading `./`; null when it leads out of the project. */
function relative(path: string): string | null {
	const names = path.split("/").filter((name) => name !== "" && name !== ".");
	return path.startsWith("/") || names.includes("..") || names.length === 0 ? null : names.join("/");
}

function shorten(title: string): string {
	const line = title.trim().split("\n", 1)[0] ?? "";
	return line.length > titleMostLength ? `${line.slice(0, titleMostLength)}…` : line;
}

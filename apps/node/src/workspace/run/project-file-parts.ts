import { z } from "zod";
import type { Pairs, ProjectCommand, ProjectPort, Settings, Workflow, WorkflowTask } from "./project-file-shape.ts";

/** Tolerant readers of the parts of `.replit`: what has a wrong type is left out, with a sentence in `warnings`. */

const Table = z.record(z.string(), z.unknown());
const Text = z.string();
const Texts = z.array(z.string());
const Port = z.int().min(1).max(65_535);
const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The value when it fits, else undefined; a value that is there and does not fit is warned of. */
function take<T>(schema: z.ZodType<T>, value: unknown, key: string, wanted: string, warnings: string[]): T | undefined {
	if (value === undefined) return undefined;
	const result = schema.safeParse(value);
	if (!result.success) warnings.push(`\`${key}\` in .replit is not ${wanted}, so it is ignored.`);
	return result.data;
}

function takeText(value: unknown, key: string, warnings: string[]): string | null {
	const text = take(Text, value, key, "a text", warnings);
	return text === undefined || text.trim() === "" ? null : text;
}

function takeTable(value: unknown, key: string, warnings: string[]): Record<string, unknown> {
	return take(Table, value, key, "a table", warnings) ?? {};
}

function takeList(value: unknown, key: string, warnings: string[]): unknown[] {
	return take(z.array(z.unknown()), value, key, "a list", warnings) ?? [];
}

/** A text, a list of texts, or a table with one of them as `args` and variables as `env`. Blank means not set. */
export function readCommand(value: unknown, key: string, warnings: string[]): ProjectCommand | null {
	if (value === undefined) return null;
	if (typeof value === "string") return value.trim() === "" ? null : { shell: value, environment: [] };
	if (Array.isArray(value)) {
		const list = take(Texts, value, key, "a text or a list of texts", warnings);
		if (!list?.[0]?.trim()) return null;
		return { arguments: list, environment: [] };
	}
	const table = takeTable(value, key, warnings);
	const command =
		Object.hasOwn(table, "args") && !isTable(table.args) ? readCommand(table.args, `${key}.args`, warnings) : null;
	return command && { ...command, environment: readVariables(table.env, `${key}.env`, warnings) };
}

function isTable(value: unknown): boolean {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function readSettings(document: Record<string, unknown>, warnings: string[]): Settings {
	const shared = takeTable(document.userenv, "userenv", warnings).shared;
	const packager = takeTable(document.packager, "packager", warnings);
	const features = takeTable(packager.features, "packager.features", warnings);
	const deployment = takeTable(document.deployment, "deployment", warnings);
	return {
		entrypoint: takeText(document.entrypoint, "entrypoint", warnings),
		language: takeText(document.language, "language", warnings)?.toLowerCase() ?? null,
		modules: take(Texts, document.modules, "modules", "a list of texts", warnings) ?? [],
		hidden: take(Texts, document.hidden, "hidden", "a list of texts", warnings) ?? [],
		environment: [
			...readVariables(shared, "userenv.shared", warnings),
			...readVariables(document.env, "env", warnings),
		],
		languageServers: readLanguageServers(document.languages, warnings),
		publicDirectory: takeText(deployment.publicDir, "deployment.publicDir", warnings),
		guessImports: document.disableGuessImports !== true && features.guessImports !== false,
	};
}

function readVariables(value: unknown, key: string, warnings: string[]): Pairs {
	return Object.entries(takeTable(value, key, warnings)).flatMap(([name, raw]) => {
		const content = take(Scalar, raw, `${key}.${name}`, "a text", warnings);
		if (content === undefined) return [];
		if (variableName.test(name) && !String(content).includes("\0")) return [[name, String(content)] as const];
		warnings.push(`\`${key}.${name}\` in .replit cannot be an environment variable, so it is ignored.`);
		return [];
	});
}

function readLanguageServers(value: unknown, warnings: string[]): Settings["languageServers"] {
	return Object.entries(takeTable(value, "languages", warnings)).flatMap(([name, raw]) => {
		const language = takeTable(raw, `languages.${name}`, warnings);
		const key = `languages.${name}.languageServer`;
		const server = language.languageServer;
		const start = isTable(server) ? takeTable(server, key, warnings).start : server;
		const command = readCommand(start, key, warnings);
		return command
			? [{ name, pattern: takeText(language.pattern, `languages.${name}.pattern`, warnings), command }]
			: [];
	});
}

export function readPorts(value: unknown, warnings: string[]): ProjectPort[] {
	return takeList(value, "ports", warnings).flatMap((raw, index) => {
		const key = `ports[${index}]`;
		const port = takeTable(raw, key, warnings);
		const localPort = take(Port, port.localPort, `${key}.localPort`, "a port number", warnings);
		if (localPort === undefined) return [];
		return [
			{
				localPort,
				externalPort: take(Port, port.externalPort, `${key}.externalPort`, "a port number", warnings) ?? null,
				exposeLocalhost:
					take(z.boolean(), port.exposeLocalhost, `${key}.exposeLocalhost`, "true or false", warnings) ?? false,
			},
		];
	});
}

export function readWorkflows(
	value: unknown,
	warnings: string[],
): { runButton: string | null; workflows: readonly Workflow[] } {
	const table = takeTable(value, "workflows", warnings);
	const workflows = takeList(table.workflow, "workflows.workflow", warnings).flatMap((raw, index): Workflow[] => {
		const key = `workflows.workflow[${index}]`;
		const workflow = takeTable(raw, key, warnings);
		const name = takeText(workflow.name, `${key}.name`, warnings);
		if (name === null) return [];
		const webview = isWebview(workflow.metadata);
		const tasks = takeList(workflow.tasks, `${key}.tasks`, warnings);
		return [
			{
				name,
				mode: workflow.mode === "parallel" ? "parallel" : "sequential",
				tasks: tasks.flatMap((task, at) => readTask(task, `${key}.tasks[${at}]`, webview, warnings)),
			},
		];
	});
	return { runButton: takeText(table.runButton, "workflows.runButton", warnings), workflows };
}

function readTask(raw: unknown, key: string, webview: boolean, warnings: string[]): WorkflowTask[] {
	const table = takeTable(raw, key, warnings);
	const task = takeText(table.task, `${key}.task`, warnings);
	if (task === null) return [];
	return [
		{
			task,
			args: takeText(table.args, `${key}.args`, warnings) ?? "",
			waitForPort: take(Port, table.waitForPort, `${key}.waitForPort`, "a port number", warnings) ?? null,
			webview: webview || isWebview(table.metadata),
		},
	];
}

function isWebview(metadata: unknown): boolean {
	return z.object({ outputType: z.literal("webview") }).safeParse(metadata).success;
}

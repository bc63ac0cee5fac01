import type { ProjectFile } from "./project-file-shape.ts";

/** Ports of a project that people may visit. */
export interface PortPlan {
	/** The one that the project's bare address means; null when none is open. */
	main: number | null;
	/** All that may be visited, ascending. */
	exposed: number[];
	/** Which of them a port number means to visitors. */
	visited: Map<number, number>;
}

const webPort = 80;
/** SSH is never shown to visitors. */
const neverExposed = 22;

/**
 * Which of the listening ports may be visited. A port that `.replit` lists without `externalPort` is hidden; a server
 * on the loopback address is hidden unless it is listed with `exposeLocalhost`. The main port is the one that a
 * workflow waits for with output `webview`, else the one listed with external port 80, else the first that is listed,
 * else the lowest.
 * To visitors a port has the number that `.replit` maps it to, and its own unless that is mapped to another one.
 * @param listening ports that programs in the container listen on.
 */
export function planPorts(file: ProjectFile, listening: readonly { port: number; loopbackOnly: boolean }[]): PortPlan {
	const exposed = listening
		.filter(({ port, loopbackOnly }) => mayBeVisited(file, port, loopbackOnly))
		.map(({ port }) => port)
		.sort((a, b) => a - b);
	const wanted = [...webviewPorts(file), ...listedPorts(file)];
	return {
		main: wanted.find((port) => exposed.includes(port)) ?? exposed[0] ?? null,
		exposed,
		visited: visitedPorts(file, exposed),
	};
}

/** Replit's numbers for further ports of a file without entries (3000, 3001, …) depend on who listened first: not given. */
function visitedPorts(file: ProjectFile, exposed: readonly number[]): Map<number, number> {
	const visited = new Map<number, number>();
	for (const { localPort, externalPort } of file.ports) {
		if (externalPort === null || externalPort === neverExposed || visited.has(externalPort)) continue;
		if (exposed.includes(localPort)) visited.set(externalPort, localPort);
	}
	for (const port of exposed) if (!visited.has(port)) visited.set(port, port);
	return visited;
}

/** The port that a program is told to listen on by PORT: null unless `.replit` declares one. */
export function declaredMainPort(file: ProjectFile): number | null {
	return webviewPorts(file)[0] ?? listedPorts(file)[0] ?? null;
}

function mayBeVisited(file: ProjectFile, port: number, loopbackOnly: boolean): boolean {
	if (port === neverExposed) return false;
	const entries = file.ports.filter(({ localPort }) => localPort === port);
	if (entries.length > 0 && entries.every(({ externalPort }) => externalPort === null)) return false;
	return !loopbackOnly || entries.some(({ exposeLocalhost }) => exposeLocalhost);
}

/** Those of the run button's workflow first. */
function webviewPorts(file: ProjectFile): number[] {
	const isRunButton = ({ name }: { name: string }) => name === file.runButton;
	const workflows = [
		...file.workflows.filter(isRunButton),
		...file.workflows.filter((workflow) => !isRunButton(workflow)),
	];
	return workflows
		.flatMap(({ tasks }) => tasks)
		.flatMap(({ waitForPort, webview }) => (webview && waitForPort !== null ? [waitForPort] : []));
}

function listedPorts(file: ProjectFile): number[] {
	const listed = file.ports.filter(({ externalPort }) => externalPort !== null);
	const web = listed.filter(({ externalPort }) => externalPort === webPort);
	return [...web, ...listed.filter(({ externalPort }) => externalPort !== webPort)].map(({ localPort }) => localPort);
}

import type { OpenPort } from "@repldock/protocol";
import type { ListeningPort } from "../host.ts";
import { type ProjectFile, planPorts } from "./run/index.ts";

/** Domain of the apps' host names, and the port on which the edge answers. */
export interface AppAddresses {
	domain: string;
	port: number;
}

/** What pages show of the ports that are listened on; those that nobody may visit have no URL. */
export function planOpenPorts(
	file: ProjectFile,
	listening: readonly ListeningPort[],
	slug: string,
	apps: AppAddresses,
): OpenPort[] {
	const { main, exposed } = planPorts(file, listening);
	const suffix = `${apps.domain}${apps.port === 80 ? "" : `:${apps.port}`}/`;
	return listening.map(({ port }) => ({
		port,
		url: exposed.includes(port) ? `http://${port === main ? "" : `${port}--`}${slug}.${suffix}` : null,
		main: port === main,
	}));
}

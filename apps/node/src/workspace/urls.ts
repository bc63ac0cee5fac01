import type { OpenPort } from "@repldock/protocol";
import type { ListeningPort } from "../host.ts";
import { type ProjectFile, planPorts } from "./run/index.ts";

/** Scheme and domain of the apps' host names, and the port in their addresses; empty for the scheme's own. */
export interface AppAddresses {
	scheme: string;
	domain: string;
	port: string;
}

/** Apps are reached as the site is. */
export function appAddresses(siteUrl: string, appsDomain: string): AppAddresses {
	const site = new URL(siteUrl);
	return { scheme: site.protocol.replace(":", ""), domain: appsDomain, port: site.port };
}

/** What pages show of the ports that are listened on; those that nobody may visit have no URL. */
export function planOpenPorts(
	file: ProjectFile,
	listening: readonly ListeningPort[],
	slug: string,
	apps: AppAddresses,
): OpenPort[] {
	const { main, exposed } = planPorts(file, listening);
	const suffix = `${apps.domain}${apps.port ? `:${apps.port}` : ""}/`;
	return listening.map(({ port }) => ({
		port,
		url: exposed.includes(port) ? `${apps.scheme}://${port === main ? "" : `${port}--`}${slug}.${suffix}` : null,
		main: port === main,
	}));
}

import type { OpenPort } from "@repldock/protocol";
import type { ListeningPort } from "../host.ts";
import { type ProjectFile, planPorts } from "./run/index.ts";

/** Scheme and domain of the apps' host names, and the port in their addresses; empty for the scheme's own. */
export interface AppAddresses {
	scheme: string;
	domain: string;
	port: string;
	/** Whether this port in an address is a port of the app: where the apps have an address of their own. Default: none is. */
	isRealPort?(port: number): boolean;
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
	const { main, visited } = planPorts(file, listening);
	return listening.map(({ port }) => {
		// Those of `.replit` come first in the plan.
		const externals = [...visited].flatMap(([external, local]) => (local === port ? [external] : []));
		const [external] = externals;
		if (port === main) return { port, externals, url: mainUrl(slug, apps), main: true };
		return { port, externals, url: external === undefined ? null : portUrl(slug, external, apps), main: false };
	});
}

const edgePort = ({ port }: AppAddresses) => (port === "" ? "" : `:${port}`);
const mainUrl = (slug: string, apps: AppAddresses) => `${apps.scheme}://${slug}.${apps.domain}${edgePort(apps)}/`;

function portUrl(slug: string, external: number, apps: AppAddresses): string {
	// Real ports speak plain HTTP.
	if (apps.isRealPort?.(external)) return `http://${slug}.${apps.domain}:${external}/`;
	return `${apps.scheme}://${external}--${slug}.${apps.domain}${edgePort(apps)}/`;
}

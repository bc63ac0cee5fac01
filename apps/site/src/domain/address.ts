import { appReservedPath, slugPattern } from "@repldock/protocol";

/** Scheme, domain and port that the addresses of apps are made of; the port is empty for the scheme's own. */
export interface AppsAddress {
	readonly scheme: string;
	readonly domain: string;
	readonly port: string;
}

/** Where a project's app is under a custom domain. */
export function customUrl(apps: AppsAddress, name: string): string {
	return `${apps.scheme}://${name}${apps.port ? `:${apps.port}` : ""}/`;
}

/** Where a project's app is on the web. */
export function appUrl(apps: AppsAddress, slug: string): string {
	return `${apps.scheme}://${slug}.${apps.domain}${apps.port ? `:${apps.port}` : ""}/`;
}

/** Ports at which apps are reached beside the one in `AppsAddress`: all that the edge takes for the apps address. */
function isVisitorPort(port: number): boolean {
	return port === 80 || port === 443 || (port > 2000 && port <= 65_535);
}

/**
 * The host name in an app's `host[:port]`, when one of our edges answers there.
 * @returns null for a port that is none of ours.
 */
export function hostNameOf(apps: AppsAddress, host: string): string | null {
	const [name = "", port] = host.split(":");
	const known = port === undefined || port === apps.port || isVisitorPort(Number(port));
	return known ? name : null;
}

/** The slug that a host name under the apps domain means: `<slug>` or `<port>--<slug>`. Null for any other name. */
export function slugOfHost(apps: AppsAddress, hostName: string): string | null {
	const suffix = `.${apps.domain}`;
	if (!hostName.endsWith(suffix)) return null;
	const label = hostName.slice(0, -suffix.length).replace(/^[1-9]\d{0,4}--/, "");
	return slugPattern.test(label) ? label : null;
}

/** Where the edge lets a browser in that comes with a visit ticket. */
export function enterUrl(apps: AppsAddress, host: string, ticket: string, to: string): string {
	return `${apps.scheme}://${host}${appReservedPath}enter?${new URLSearchParams({ ticket, to })}`;
}

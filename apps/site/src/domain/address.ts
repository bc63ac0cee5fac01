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

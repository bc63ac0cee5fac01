import { createHash } from "node:crypto";
import type { AppsAddress } from "../domain/address.ts";

/** The scripts that Astro puts into pages to wake their React parts, one module each with the script as its text. */
const astroScripts = [
	"astro/runtime/server/astro-island.prebuilt.js",
	"astro/runtime/client/idle.prebuilt.js",
	"astro/runtime/client/load.prebuilt.js",
	"astro/runtime/client/media.prebuilt.js",
	"astro/runtime/client/only.prebuilt.js",
	"astro/runtime/client/visible.prebuilt.js",
];

/** CSP sources that allow Astro's inline scripts and no others. */
export async function astroScriptHashes(): Promise<string[]> {
	return Promise.all(
		astroScripts.map(async (specifier) => {
			const module: { default: string } = await import(specifier);
			return `'sha256-${createHash("sha256").update(module.default).digest("base64")}'`;
		}),
	);
}

/**
 * The policy of our pages. The IDE talks to the nodes' gateways and shows apps in frames; the editor and the terminal
 * style themselves with inline styles. An app can never frame us.
 * @param gatewayOrigins origins of all nodes' gateways, `http(s)://host:port`.
 */
export function pagePolicy(options: {
	scriptHashes: readonly string[];
	gatewayOrigins: readonly string[];
	apps: AppsAddress;
}): string {
	const gateways = options.gatewayOrigins.join(" ");
	const gatewaySockets = options.gatewayOrigins.map((origin) => origin.replace(/^http/, "ws")).join(" ");
	const { scheme, domain } = options.apps;
	const directives = {
		"default-src": "'self'",
		"script-src": `'self' ${options.scriptHashes.join(" ")}`,
		"style-src": "'self' 'unsafe-inline'",
		"img-src": `'self' data: blob: ${gateways}`,
		"media-src": `'self' blob: ${gateways}`,
		"font-src": "'self' data:",
		"connect-src": `'self' ${gateways} ${gatewaySockets}`,
		// Any port: where the apps have an address of their own, each port of theirs is one of it.
		"frame-src": `${scheme}://*.${domain}:* blob:`,
		"worker-src": "'self' blob:",
		"object-src": "'none'",
		"base-uri": "'none'",
		"form-action": "'self'",
		"frame-ancestors": "'none'",
	};
	return Object.entries(directives)
		.map(([name, sources]) => `${name} ${sources.trim()}`)
		.join("; ");
}

/** Headers of every answer, whatever it is. */
export function commonHeaders(siteUrl: string): Record<string, string> {
	return {
		"x-content-type-options": "nosniff",
		"x-frame-options": "DENY",
		"referrer-policy": "same-origin",
		"cross-origin-opener-policy": "same-origin",
		"content-security-policy": "default-src 'none'; frame-ancestors 'none'",
		...(siteUrl.startsWith("https://") ? { "strict-transport-security": "max-age=31536000" } : {}),
	};
}

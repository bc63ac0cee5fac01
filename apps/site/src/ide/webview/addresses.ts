import type { OpenPort } from "@repldock/protocol";
import { appReservedPath } from "@repldock/protocol/constants";

/** The port that the web view shows by itself: the project's main one, else the first that can be reached. */
export function mainPort(ports: readonly OpenPort[]): OpenPort | null {
	const reachable = ports.filter((port) => port.url !== null);
	return reachable.find((port) => port.main) ?? reachable[0] ?? null;
}

/** What somebody typed into the address bar, as a path on the app: `about`, `/about?x=1` or a whole address of the app. */
export function readAddress(typed: string, appUrl: string): string {
	const text = typed.trim();
	if (text.startsWith(appUrl)) return `/${text.slice(appUrl.length)}`;
	if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
		// Another address: only its path is meant for this app.
		return text.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "") || "/";
	}
	return text.startsWith("/") ? text : `/${text}`;
}

/** @param appUrl With a slash at its end. @param path With a slash at its beginning. */
export function addressOf(appUrl: string, path: string): string {
	return appUrl + path.replace(/^\/+/, "");
}

/** The address that lets this browser into a private project's app and goes on to a path of it. */
export function enterAddress(appUrl: string, path: string, token: string): string {
	const query = new URLSearchParams({ token, to: path });
	return `${addressOf(appUrl, appReservedPath)}enter?${query}`;
}

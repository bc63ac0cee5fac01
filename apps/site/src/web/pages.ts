import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Logger } from "@repldock/service";
import sirv from "sirv";
import { sessionUser } from "../api/identity.ts";
import type { Auth } from "../auth/auth.ts";
import type { AppsAddress } from "../domain/address.ts";
import type { SiteLocals, VisitPage } from "../locals.ts";
import type { Database } from "../store/database.ts";
import { listGatewayUrls } from "../store/nodes.ts";
import { readSettings } from "../store/settings.ts";
import { findFirstAdministrator } from "../store/users.ts";
import { astroScriptHashes, pagePolicy } from "./security-headers.ts";

export interface PageParts {
	readonly database: Database;
	readonly auth: Auth;
	readonly apps: AppsAddress;
	readonly siteUrl: string;
	readonly log: Logger;
	/** Holds `client/` and `server/entry.mjs` of the Astro build. */
	readonly distDirectory: string;
}

/** @param visit what the page of a visit shows; null for all other pages. */
type Handler = (request: IncomingMessage, response: ServerResponse, visit?: VisitPage | null) => Promise<void>;
type AstroHandler = (
	request: IncomingMessage,
	response: ServerResponse,
	next: () => void,
	locals: SiteLocals,
) => Promise<void>;

/** Answers everything that is not the API: the build's static files, then its pages. */
export async function createPages(parts: PageParts): Promise<Handler> {
	const client = join(parts.distDirectory, "client");
	const entry = join(parts.distDirectory, "server/entry.mjs");
	if (!existsSync(entry)) {
		parts.log.warn({ entry }, "the pages are not built; only the API answers");
		return async (_request, response) =>
			answerText(response, 503, "The pages are not built. Run: npm run build -w apps/site");
	}
	const serveStatic = sirv(client, { etag: true, gzip: true, brotli: true, setHeaders: cacheFor });
	const { handler }: { handler: AstroHandler } = await import(pathToFileURL(entry).href);
	const scriptHashes = await astroScriptHashes();

	return async (request, response, visit = null) => {
		if (await passedOn((next) => serveStatic(request, response, next), response)) {
			const { locals, cookies } = await readLocals(parts, request);
			const gatewayOrigins = await readGatewayOrigins(parts.database);
			for (const cookie of cookies) response.appendHeader("set-cookie", cookie);
			response.setHeader("content-security-policy", pagePolicy({ scriptHashes, gatewayOrigins, apps: parts.apps }));
			response.setHeader("cache-control", "no-store");
			await handler(request, response, () => answerText(response, 404, "There is no such page."), {
				...locals,
				visit,
			});
		}
	};
}

/** Files under `_astro/` carry a hash of their content in their names; the others are asked for again each time. */
function cacheFor(response: ServerResponse, path: string): void {
	const hashed = path.startsWith("/_astro/");
	response.setHeader("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
}

/** @returns true when the handler did not answer but called `next`, false once the answer is on its way. */
function passedOn(handle: (next: () => void) => void, response: ServerResponse): Promise<boolean> {
	return new Promise((resolve) => {
		response.once("close", () => resolve(false));
		handle(() => resolve(true));
	});
}

async function readLocals(
	parts: PageParts,
	request: IncomingMessage,
): Promise<{ locals: Omit<SiteLocals, "visit">; cookies: string[] }> {
	const { cookie } = request.headers;
	const [session, settings, administrator] = await Promise.all([
		cookie === undefined
			? { user: null, cookies: [] }
			: sessionUser(parts.auth, new Headers({ cookie }), { fresh: false }),
		readSettings(parts.database),
		findFirstAdministrator(parts.database),
	]);
	const locals = {
		user: session.user,
		siteUrl: parts.siteUrl,
		appsDomain: parts.apps.domain,
		registrationOpen: settings.registration === "open",
		needsFirstAdministrator: administrator === undefined,
	};
	return { locals, cookies: session.cookies };
}

async function readGatewayOrigins(database: Database): Promise<string[]> {
	const urls = await listGatewayUrls(database);
	return [...new Set(urls.map((url) => new URL(url).origin))];
}

function answerText(response: ServerResponse, status: number, sentence: string): void {
	response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
	response.end(sentence);
}

import { spawn } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { SystemUser } from "../machine/users.ts";
import { repository, type Settings } from "../settings.ts";

export const siteProgram = join(repository, "apps/site/src/server.ts");

/** The address of the database: the operator's own, or the private cluster's. */
export function databaseUrlOf(settings: Settings): string {
	const socketDirectory = encodeURIComponent(join(settings.run, "postgres"));
	return settings.environment.DATABASE_URL || `postgresql://repldock@/repldock?host=${socketDirectory}`;
}

export function siteEnvironment(settings: Settings, databaseUrl: string): Record<string, string> {
	// The site holds no files: it has no need of the object store's keys.
	const withoutStore = Object.entries(settings.environment).filter(([name]) => !name.startsWith("REPLDOCK_S3_"));
	return {
		...Object.fromEntries(withoutStore),
		NODE_ENV: "production",
		DATABASE_URL: databaseUrl,
		REPLDOCK_SITE_SOCKET: join(settings.run, "site.sock"),
		REPLDOCK_SECRETS_DIRECTORY: join(settings.data, "secrets/site"),
		REPLDOCK_TEMPLATES_DIRECTORY: join(repository, "templates"),
	};
}

/** The one-time link that signs the operator in, made by the site's own program. */
export async function operatorLink(settings: Settings, databaseUrl: string, siteUser: SystemUser): Promise<string> {
	return (await runSiteProgram(settings, databaseUrl, siteUser, ["operator-link"])).trim();
}

/**
 * Runs a command of the site's program to its end, as the site's user; only the site knows its database.
 * @returns what it printed.
 * @throws Error with what it said when it fails, or what the input throws.
 */
export async function runSiteProgram(
	settings: Settings,
	databaseUrl: string,
	{ uid, gid }: SystemUser,
	words: readonly string[],
	input: Readable = Readable.from([]),
): Promise<string> {
	const asSiteUser = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
	const child = spawn("setpriv", [...asSiteUser, process.execPath, siteProgram, ...words], {
		cwd: "/",
		stdio: ["pipe", "pipe", "pipe"],
		env: { ...process.env, ...siteEnvironment(settings, databaseUrl) },
	});
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", resolve);
	});
	const [fed, printed, said, code] = await Promise.all([
		pipeline(input, child.stdin).then(
			() => null,
			(error: NodeJS.ErrnoException) => error,
		),
		text(child.stdout),
		text(child.stderr),
		ended,
	]);
	// A program that gave up early broke the pipe: what it said tells why.
	if (fed && fed.code !== "EPIPE") throw fed;
	if (code !== 0 || fed) throw new Error(said.trim() || `${siteProgram} ended with ${code}.`);
	return printed;
}

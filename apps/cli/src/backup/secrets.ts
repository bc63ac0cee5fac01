import { chown, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { SystemUser } from "../machine/users.ts";
import type { Settings } from "../settings.ts";

/** Whose secrets: the site reads its own as its own user, the node's are root's. */
const owners = ["site", "node"] as const;

/** Files of `<data>/secrets` by owner and name, in base64. */
const Secrets = z.record(z.enum(owners), z.record(z.string().regex(/^[a-z0-9][a-z0-9.-]*$/), z.base64()));

/** The keys that sign sessions and tickets, and what node and site know each other by. */
export async function readSecretFiles(settings: Settings): Promise<Buffer> {
	const secrets: z.infer<typeof Secrets> = { site: {}, node: {} };
	for (const owner of owners) {
		const directory = join(settings.data, "secrets", owner);
		for (const entry of await readdir(directory, { withFileTypes: true })) {
			if (entry.isFile()) secrets[owner][entry.name] = await readFile(join(directory, entry.name), "base64");
		}
	}
	return Buffer.from(JSON.stringify(Secrets.parse(secrets)));
}

export async function writeSecretFiles(settings: Settings, text: string, siteUser: SystemUser): Promise<void> {
	const secrets = Secrets.parse(JSON.parse(text));
	for (const owner of owners) {
		const directory = join(settings.data, "secrets", owner);
		await mkdir(directory, { recursive: true, mode: 0o700 });
		for (const [name, content] of Object.entries(secrets[owner])) {
			const file = join(directory, name);
			await writeFile(file, Buffer.from(content, "base64"), { mode: 0o600 });
			if (owner === "site") await chown(file, siteUser.uid, siteUser.gid);
		}
	}
}

import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPairPem } from "./make.ts";
import { type Certificate, readCertificate } from "./read.ts";

/** Keys and certificates on disk, for root's eyes alone: one file each, so that a key never meets another's chain. */
export interface CertificateStore {
	/** The certificate that was last kept under this name; undefined when there is none, or it cannot be read any more. */
	find(name: string): Promise<Certificate | undefined>;
	keep(name: string, pair: KeyPairPem): Promise<void>;
	/** A text that is made once, such as a key, under a name of its own. */
	ensure(file: string, make: () => Promise<string>): Promise<string>;
	/** Removes certificates that are past their time and not in use, so that old domains leave nothing behind. */
	tidy(isUsed: (name: string) => boolean): Promise<void>;
}

const suffix = ".pem";

/** `*.apps.example` as a file name; host names hold nothing else that a path could mind. */
function fileName(name: string): string {
	if (!/^[\w.*:-]+$/.test(name) || name.startsWith(".")) throw new Error(`${JSON.stringify(name)} is not a host name.`);
	return `${name.replace("*", "_")}${suffix}`;
}

function split(text: string): KeyPairPem {
	const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----\n?/.exec(text)?.[0] ?? "";
	return { key, certificate: text.replace(key, "") };
}

async function readIfThere(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

/** Replaces a file whole, so that a crash leaves the old or the new one. */
async function writeWhole(path: string, text: string): Promise<void> {
	const temporary = `${path}.new`;
	await rm(temporary, { force: true });
	await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
	await rename(temporary, path);
}

/** Opens the store, making its directory. Repeatable. */
export async function openStore(directory: string): Promise<CertificateStore> {
	await mkdir(directory, { recursive: true, mode: 0o700 });

	async function find(name: string): Promise<Certificate | undefined> {
		const text = await readIfThere(join(directory, fileName(name)));
		try {
			return text === undefined ? undefined : readCertificate(split(text));
		} catch {
			// A damaged file is no reason not to ask for a new certificate.
			return undefined;
		}
	}

	return {
		find,
		async keep(name, { key, certificate }) {
			await writeWhole(join(directory, fileName(name)), `${key}${certificate}`);
		},
		async ensure(file, make) {
			const path = join(directory, file);
			const present = await readIfThere(path);
			if (present !== undefined) return present;
			const text = await make();
			await writeWhole(path, text);
			return text;
		},
		async tidy(isUsed) {
			for (const file of await readdir(directory)) {
				const name = file.slice(0, -suffix.length).replace(/^_/, "*");
				if (!file.endsWith(suffix) || !file.includes(".") || isUsed(name)) continue;
				const certificate = await find(name);
				if (certificate && certificate.notAfter.getTime() < Date.now()) await rm(join(directory, file));
			}
		},
	};
}

import { readFile, stat } from "node:fs/promises";
import type { Logger } from "@repldock/service";
import { type Certificate, readCertificate } from "./read.ts";

/** Paths of a chain and its key; both PEM. */
export interface CertificateFiles {
	certificate: string;
	key: string;
}

/** Programs such as certbot replace files some time before the old ones end: there is no hurry. */
const lookEveryMs = 10_000;

/**
 * Certificates that the operator brings, read again when their files change. Files that cannot be read, as in the middle
 * of a change, leave the last good ones in place.
 * @throws Error when they cannot be read at the start.
 */
export async function watchFiles(options: {
	files: readonly CertificateFiles[];
	onChange: (certificates: Certificate[]) => void;
	log: Logger;
	intervalMs?: number;
}): Promise<{ certificates: Certificate[]; close(): void }> {
	const { files, log } = options;

	/** Changes whenever one of the files does; links are followed, since certbot changes those. */
	async function stamp(): Promise<string> {
		const paths = files.flatMap(({ certificate, key }) => [certificate, key]);
		const all = await Promise.all(paths.map((path) => stat(path)));
		return all.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`).join();
	}

	function read(): Promise<Certificate[]> {
		return Promise.all(
			files.map(async ({ certificate, key }) => {
				const pair = { certificate: await readFile(certificate, "utf8"), key: await readFile(key, "utf8") };
				try {
					return readCertificate(pair);
				} catch (cause) {
					throw new Error(`${certificate}: ${cause instanceof Error ? cause.message : "cannot be read"}`, { cause });
				}
			}),
		);
	}

	let lastStamp = await stamp();
	let certificates = await read();
	let isWell = true;
	let looking = false;

	async function look() {
		if (looking) return;
		looking = true;
		try {
			const now = await stamp();
			if (now !== lastStamp) {
				certificates = await read();
				lastStamp = now;
				isWell = true;
				log.info({ names: certificates.flatMap(({ names }) => names) }, "the certificate files were read again");
				options.onChange(certificates);
			}
		} catch (error) {
			// Once for each trouble, not with each look.
			if (isWell) log.error({ err: error }, "the certificate files cannot be read; the last good ones stay");
			isWell = false;
		} finally {
			looking = false;
		}
	}

	const timer = setInterval(() => void look(), options.intervalMs ?? lookEveryMs);
	return {
		get certificates() {
			return certificates;
		},
		close: () => clearInterval(timer),
	};
}

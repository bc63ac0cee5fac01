import { readFile, rename, writeFile } from "node:fs/promises";
import { mostSiteAddresses } from "@repldock/protocol";
import { followAddresses, type Logger } from "@repldock/service";
import { z } from "zod";

/** By address, when it was last said to be the site's, in milliseconds since 1970. */
const Said = z.record(z.ipv4(), z.number());
/** `dialled`: what the host of the site's URL is resolved to here; `told`: what the site says of itself and its database. */
const Known = z.object({ dialled: Said, told: Said });
type Source = keyof z.infer<typeof Known>;

export interface SiteAddresses {
	/** At most 128 IPv4 addresses, in order. */
	present(): string[];
	/** The site has connected and says which addresses are its own and its database's. */
	told(addresses: readonly string[]): void;
	/** Calls back, from now on, when others are known than before. */
	onChange(listener: (addresses: string[]) => void): void;
	close(): Promise<void>;
}

/**
 * Names are answered with some of their addresses at a time, and several instances of the site may each know others: what
 * was said stays for a day after it was last said, as long as its source says anything at all.
 */
const keptForMs = 24 * 60 * 60_000;

/**
 * The addresses that containers are kept from because the site, or its database, is there. They are kept on disk, so that
 * an agent that has not reached the site yet knows them. Only what cannot be read there is lost; it is found out again.
 */
export async function openSiteAddresses(options: {
	file: string;
	siteUrl: string;
	lookUp?: (host: string) => Promise<string[]>;
	everyMs?: number;
	now?: () => number;
	log: Logger;
}): Promise<SiteAddresses> {
	const { file, siteUrl, now = Date.now, log } = options;
	const known = await read(file, log);
	const listeners: ((addresses: string[]) => void)[] = [];
	let written: Promise<void> = Promise.resolve();
	const present = () => [...new Set(Object.values(known).flatMap((said) => Object.keys(said)))].sort();

	function say(source: Source, addresses: readonly string[]) {
		const before = present().join();
		const said = { ...known[source], ...Object.fromEntries(addresses.map((address) => [address, now()])) };
		const latest = Object.entries(said).sort(([, one], [, other]) => other - one);
		const kept = latest.filter(([, atMs]) => now() - atMs < keptForMs).slice(0, mostSiteAddresses);
		known[source] = Object.fromEntries(kept);
		if (addresses.length > 0) written = written.then(() => write(file, known)).catch(notKept);
		if (present().join() !== before) for (const listener of listeners) listener(present());
	}
	const notKept = (error: unknown) => log.error({ err: error }, "the site's addresses were not kept on disk");

	const followed = followAddresses({
		...options,
		hosts: [new URL(siteUrl).hostname],
		onAnswer: (_, addresses) => say("dialled", addresses),
	});

	return {
		present,
		told(addresses) {
			say("told", addresses);
			// It may have been found at another address than before.
			void followed.lookAgain();
		},
		onChange: (listener) => void listeners.push(listener),
		async close() {
			followed.close();
			await written;
		},
	};
}

async function read(file: string, log: Logger): Promise<z.infer<typeof Known>> {
	try {
		return Known.parse(JSON.parse(await readFile(file, "utf8")));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT")
			log.error({ err: error }, "the site's addresses are not known");
		return { dialled: {}, told: {} };
	}
}

async function write(file: string, known: z.infer<typeof Known>): Promise<void> {
	await writeFile(`${file}.new`, JSON.stringify(known), { mode: 0o600 });
	await rename(`${file}.new`, file);
}

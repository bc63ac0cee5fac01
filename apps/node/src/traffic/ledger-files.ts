import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TrafficHour } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import { z } from "zod";

const Counters = z.object({
	sentBytes: z.int(),
	sentPackets: z.int(),
	droppedPackets: z.int(),
	receivedBytes: z.int(),
	receivedPackets: z.int(),
});

/** The page of the ledger that is still written on. */
const OpenPage = z.object({
	/** Names this book. The site adds up books, and within one takes the greatest. */
	ledger: z.uuid(),
	hour: z.int(),
	/** What the kernel's counters said when they were last added to the lines, by project. */
	baselines: z.record(z.string(), z.object({ containerId: z.string(), generation: z.int(), counters: Counters })),
	/** The same for refused packets, which the filter counts by itself. */
	refused: z.record(z.string(), z.int()),
	/** And for what terminals showed, which the holder counts. */
	terminals: z.record(z.string(), z.object({ count: z.string(), sentBytes: z.int() })).default({}),
	lines: z.array(TrafficHour),
});
export type OpenPage = z.infer<typeof OpenPage>;

/** Where the ledger lies: `open.json`, which is replaced as a whole, and a file for each hour that is over. */
export interface LedgerFiles {
	/** Null when there is none yet. One that cannot be understood is put aside, and counting begins in a new book. */
	readOpen(): Promise<OpenPage | null>;
	writeOpen(page: OpenPage): Promise<void>;
	/** Hours that are over and still here, the oldest first. */
	closedHours(): Promise<{ ledger: string; hour: number }[]>;
	readClosed(of: { ledger: string; hour: number }): Promise<TrafficHour[]>;
	writeClosed(of: { ledger: string; hour: number }, lines: readonly TrafficHour[]): Promise<void>;
	removeClosed(of: { ledger: string; hour: number }): Promise<void>;
}

const closedName = /^([0-9a-f-]{36})\.(\d+)\.json$/;

export function createLedgerFiles(directory: string, log: Logger): LedgerFiles {
	const open = join(directory, "open.json");
	const closed = ({ ledger, hour }: { ledger: string; hour: number }) => join(directory, `${ledger}.${hour}.json`);

	return {
		async readOpen() {
			const text = await readFile(open, "utf8").catch(absent);
			if (text === undefined) return null;
			try {
				return OpenPage.parse(JSON.parse(text));
			} catch (error) {
				const aside = join(directory, `broken-${randomUUID()}`);
				await rename(open, aside);
				log.error({ err: error, aside }, "the traffic ledger's page was not understood; a new one begins");
				return null;
			}
		},

		writeOpen: (page) => replaceFile(directory, open, page),

		async closedHours() {
			const names = (await readdir(directory).catch(absent)) ?? [];
			return names
				.flatMap((name) => {
					const [, ledger, hour] = closedName.exec(name) ?? [];
					return ledger && hour ? [{ ledger, hour: Number(hour) }] : [];
				})
				.sort((one, other) => one.hour - other.hour);
		},

		async readClosed(of) {
			const text = await readFile(closed(of), "utf8").catch(absent);
			return text === undefined ? [] : z.array(TrafficHour).parse(JSON.parse(text));
		},

		writeClosed: (of, lines) => replaceFile(directory, closed(of), lines),
		removeClosed: (of) => rm(closed(of), { force: true }),
	};
}

/** Replaces the file whole, so that a crash leaves the old or the new one. */
async function replaceFile(directory: string, path: string, value: unknown): Promise<void> {
	await mkdir(directory, { recursive: true, mode: 0o700 });
	await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
	await rename(`${path}.new`, path);
}

function absent(error: NodeJS.ErrnoException): undefined {
	if (error.code === "ENOENT") return undefined;
	throw error;
}

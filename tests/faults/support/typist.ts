import { setTimeout as delay } from "node:timers/promises";
import { clockIn, createPage, ownClock, type RemoteDocuments } from "../../../apps/node/test/workspace/rig.ts";
import type { Random } from "./rounds.ts";

/** A page's way to an agent: to its documents, and what it is told of them. */
export interface PageConnection {
	readonly documents: RemoteDocuments;
	listen(listener: {
		/** All up to this state vector is in the file, since this time at the latest. */
		saved(stateVector: string, atMs: number): void;
		durable(upTo: string | null): void;
	}): void;
}

interface Keystroke {
	readonly text: string;
	readonly clientId: number;
	/** The Yjs clock that a state vector must have reached for this to be in it. */
	readonly clock: number;
	/** When the agent said, by its own clock, that it is in the file; null before. */
	savedAtMs: number | null;
	isDurable: boolean;
}

/** Somebody who types into one file, and remembers what the page was told of each keystroke. */
export interface Typist {
	readonly path: string;
	/** Types until the signal aborts. */
	type(random: Random, signal: AbortSignal): Promise<void>;
	/** Opens the document at an agent; call again after it died. */
	connect(connection: PageConnection): Promise<void>;
	/** The agent is gone, and the page has not noticed. */
	lose(): void;
	/** What the page was told to be in the file. */
	saved(): string[];
	/** What the page was told to be in the object store. */
	durable(): string[];
	all(): string[];
	untilSaved(): Promise<void>;
}

export function createTypist(path: string): Typist {
	const page = createPage();
	const keystrokes: Keystroke[] = [];
	let connected: PageConnection | undefined;

	function press(text: string) {
		page.insert(page.text().length, text);
		const clientId = page.doc.clientID;
		keystrokes.push({ text, clientId, clock: ownClock(page), savedAtMs: null, isDurable: false });
	}

	function saved(stateVector: string, atMs: number) {
		const reached = Buffer.from(stateVector, "base64");
		for (const keystroke of keystrokes) {
			if (clockIn(reached, keystroke.clientId) >= keystroke.clock) keystroke.savedAtMs ??= atMs;
		}
	}

	function durable(upTo: string | null) {
		if (upTo === null) return;
		const upToMs = Date.parse(upTo);
		for (const keystroke of keystrokes) {
			if (keystroke.savedAtMs !== null && keystroke.savedAtMs < upToMs) keystroke.isDurable = true;
		}
	}

	const textsOf = (passes: (keystroke: Keystroke) => boolean) => keystrokes.filter(passes).map(({ text }) => text);

	return {
		path,
		async type(random, signal) {
			while (!signal.aborted) {
				press(`${keystrokes.length}-${random.int(0, 999_999)};`);
				if (random.chance(0.05)) press(`\n${"x".repeat(random.int(1, 20_000))}\n`);
				await delay(random.int(1, 40));
			}
		},
		async connect(connection) {
			connected = connection;
			connection.listen({
				saved: (stateVector, atMs) => connection === connected && saved(stateVector, atMs),
				durable: (upTo) => connection === connected && durable(upTo),
			});
			await page.connect(connection.documents, path);
			const refused = page.events.find((event) => event.type === "documentRefused");
			if (refused) throw new Error(`${path} was not opened: ${JSON.stringify(refused)}`);
		},
		lose: () => page.lose(),
		saved: () => textsOf(({ savedAtMs }) => savedAtMs !== null),
		durable: () => textsOf(({ isDurable }) => isDurable),
		all: () => textsOf(() => true),
		async untilSaved() {
			await page.untilSaved();
		},
	};
}

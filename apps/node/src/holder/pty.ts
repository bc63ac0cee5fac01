import {
	type PtyCommand,
	type PtySize,
	type PtyState,
	RepldockError,
	scrollbackLines,
	scrollbackMaxBytes,
} from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Engine } from "../host.ts";
import { createFlow } from "./flow.ts";
import { createInterruptDrain } from "./interrupt.ts";
import type { StartMessage } from "./messages.ts";
import { createOutputPump } from "./output-pump.ts";
import type { Pace } from "./pace.ts";
import { type Program, startProgram } from "./program.ts";
import { createScrollback } from "./scrollback.ts";
import { type Ending, endingNote, problemText, restoreModes, skippedMark } from "./sentences.ts";
import { createTitleReader } from "./title.ts";
import { createViewer, type Viewer, type ViewerSocket } from "./viewer.ts";

/**
 * A slot for programs with a terminal, its scrollback and its viewers. The console outlives its programs: successive
 * runs print into one scrollback.
 */
export interface Pty {
	readonly state: PtyState;
	readonly viewerCount: number;
	/** Nothing was ever printed or run in it, and nobody looks. */
	readonly isUnused: boolean;
	/** @throws RepldockError `already_running` while a program runs in this slot. */
	start(message: StartMessage): Promise<void>;
	/** Ends the program and all it started; harmless when none runs. */
	stop(): Promise<void>;
	/** The container is gone, and with it the program. */
	reset(): void;
	/** Prints text of our own. */
	write(text: string): void;
	/** The end of what it printed. */
	tail(bounds: { mostLines: number; mostBytes: number }): string;
	attach(options: { socket: ViewerSocket; mayEdit: boolean; after: number | undefined }): Attachment;
	/** Tells all viewers that this slot is no more and lets them go once they have what was printed. */
	close(): void;
}

/** A viewer's end of its attachment: what its socket brings. */
export interface Attachment {
	input(bytes: Buffer): void;
	command(command: PtyCommand): void;
	/** The socket is gone. */
	detach(): void;
}

/** A program that takes no input must not make the holder keep more of it than this. */
const queuedInputMostBytes = 1024 * 1024;

/** Keys that interrupt: Ctrl-C, Ctrl-Z, Ctrl-\. */
const interruptKeys = [0x03, 0x1a, 0x1c] as const;

const replay = { mostLines: scrollbackLines, mostBytes: scrollbackMaxBytes };
const modeIntroducer = Buffer.from("\x1b[?");

export function createPty(options: {
	engine: Engine;
	log: Logger;
	ptyId: string;
	kind: PtyState["kind"];
	/** The one of its project. */
	pace(): Pace;
	/** State or number of viewers changed. */
	onChange(): void;
}): Pty {
	const { engine, log, onChange } = options;
	const scrollback = createScrollback(scrollbackMaxBytes);
	const viewers = new Set<Viewer>();
	const pump = createOutputPump(() => {
		for (const viewer of viewers) viewer.pump();
	});
	const flow = createFlow({
		viewers,
		end: () => scrollback.end,
		pause: () => program?.pause(),
		resume: () => program?.resume(),
	});
	const drain = createInterruptDrain((kept) => {
		print(Buffer.from(skippedMark));
		print(kept);
	});
	let readTitle = createTitleReader();
	let program: Program | undefined;
	let starting: Promise<void> | undefined;
	let changedModes = false;
	let lastByte = 0x0a;
	let size: PtySize = { columns: 80, rows: 24 };
	let state: PtyState = {
		ptyId: options.ptyId,
		kind: options.kind,
		title: options.kind === "console" ? "Console" : "Terminal",
		running: false,
		startedAtMs: null,
		exitCode: null,
		runTimeMs: null,
		note: null,
	};

	function setState(change: Partial<PtyState>): void {
		state = { ...state, ...change };
		for (const viewer of viewers) viewer.tell({ type: "state", state });
		onChange();
	}

	function print(bytes: Buffer): void {
		if (bytes.length === 0) return;
		scrollback.append(bytes);
		lastByte = bytes[bytes.length - 1] ?? lastByte;
		pump.schedule(bytes.length);
		if (!drain.active) flow.update();
	}

	function printText(text: string): void {
		drain.finish();
		print(Buffer.from(text.replace(/\r?\n/g, "\r\n")));
	}

	/** Our own sentences stand on lines of their own. */
	function printLine(text: string): void {
		printText(lastByte === 0x0a ? text : `\n${text}`);
	}

	function takeOutput(bytes: Buffer): void {
		if (!changedModes && bytes.includes(modeIntroducer)) changedModes = true;
		const title = readTitle(bytes);
		if (title !== null && title !== state.title) setState({ title });
		if (drain.active) drain.push(bytes);
		else print(bytes);
	}

	async function begin(message: StartMessage): Promise<void> {
		changedModes = false;
		readTitle = createTitleReader();
		if (lastByte !== 0x0a) printText("\n");
		const started = await startProgram({ engine, log, message, onOutput: takeOutput });
		program = started;
		if (flow.paused) started.pause();
		resize(message.size);
		const { title } = message;
		setState({ title, running: true, startedAtMs: Date.now(), exitCode: null, runTimeMs: null, note: null });
		started.ended.then(takeEnding, (error: unknown) => {
			log.error({ err: error, pty: options.ptyId }, "a program's end could not be followed");
			takeEnding(lostEnding);
		});
	}

	function takeEnding(ending: Ending & { runTimeMs: number }): void {
		drain.finish();
		program = undefined;
		flow.update();
		if (changedModes) print(Buffer.from(restoreModes));
		const { note, printed } = endingNote(ending);
		if (note !== null && printed) printLine(problemText(note));
		// Who waits for the end of a run has all its output when it is told.
		pump.flush();
		setState({ running: false, exitCode: ending.exitCode, runTimeMs: Math.round(ending.runTimeMs), note });
	}

	function resize(next: PtySize): void {
		if (next.columns === size.columns && next.rows === size.rows) return;
		size = next;
		program?.resize(size);
		for (const viewer of viewers) viewer.tell({ type: "resized", size });
	}

	/** The newest wish wins: whoever works in the terminal now should see it fill their window. */
	function takeCommand(viewer: Viewer, command: PtyCommand): void {
		if (command.type === "acknowledge") {
			viewer.acknowledge(command.offset);
			viewer.pump();
			if (!drain.active) flow.update();
		} else if (viewer.mayEdit) resize(command.size);
	}

	/** Nobody wants to see the rest of a flood before the prompt: neither what waits before us nor what waits after. */
	function interruptFlood(): void {
		if (drain.active) return;
		drain.begin();
		flow.release();
		for (const each of viewers) each.skip();
	}

	function takeInput(viewer: Viewer, bytes: Buffer): void {
		if (!viewer.mayEdit || !program) return;
		program.write(bytes);
		const isBehind = flow.flooded || viewer.waitsForPace;
		if (isBehind && interruptKeys.some((key) => bytes.includes(key))) interruptFlood();
		if (program.queuedInput > queuedInputMostBytes) {
			viewer.socket.pauseInput();
			program.onInputTaken(() => viewer.socket.resumeInput());
		}
	}

	return {
		get state() {
			return state;
		},
		get viewerCount() {
			return viewers.size;
		},
		get isUnused() {
			return viewers.size === 0 && scrollback.end === 0 && state.startedAtMs === null && !starting;
		},
		async start(message) {
			if (program || starting) {
				throw new RepldockError("already_running", "A program is running already. Stop it before you start another.");
			}
			starting = begin(message).finally(() => {
				starting = undefined;
			});
			await starting;
		},
		async stop() {
			// One that is just being started is stopped too; why it could not start was told to who started it.
			await starting?.catch(() => undefined);
			if (!program) return;
			const { ended } = program;
			await program.stop();
			await ended;
		},
		reset: () => program?.abandon(),
		write: printText,
		tail({ mostLines, mostBytes }) {
			const parts: Buffer[] = [];
			for (let at = scrollback.replayStart(mostLines, mostBytes); at < scrollback.end; ) {
				const part = scrollback.read(at, scrollback.end - at);
				parts.push(part);
				at += part.length;
			}
			return Buffer.concat(parts).toString();
		},
		attach({ socket, mayEdit, after }) {
			const describe = () => ({ state, size });
			const pace = options.pace();
			const viewer = createViewer({ socket, scrollback, pace, mayEdit, after, replay, describe });
			viewers.add(viewer);
			viewer.pump();
			flow.update();
			onChange();
			return {
				input: (bytes) => takeInput(viewer, bytes),
				command: (command) => takeCommand(viewer, command),
				detach() {
					viewer.gone();
					if (!viewers.delete(viewer)) return;
					flow.left(viewer);
					onChange();
				},
			};
		},
		close() {
			drain.finish();
			pump.flush();
			for (const viewer of viewers) viewer.close();
			viewers.clear();
			flow.dispose();
			pump.dispose();
		},
	};
}

/** Of a program whose end could not be followed. */
const lostEnding = {
	exitCode: null,
	stopped: false,
	containerGone: false,
	outOfMemory: false,
	refusal: null,
	program: "",
	runTimeMs: 0,
};

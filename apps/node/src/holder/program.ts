import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type PtySize, RepldockError } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { Engine, ExecStream } from "../host.ts";
import { type ContainerReference, endMarked } from "./end-processes.ts";
import { markerVariable, type StartMessage } from "./messages.ts";
import { outOfMemoryKills } from "./processes.ts";
import type { Ending } from "./sentences.ts";

/** A command that runs in a container with a terminal of its own. */
export interface Program {
	write(bytes: Buffer): void;
	/** Bytes of input that the program has not taken yet. */
	readonly queuedInput: number;
	/** Calls back once, when the queued input was taken. */
	onInputTaken(then: () => void): void;
	pause(): void;
	resume(): void;
	resize(size: PtySize): void;
	/** Ends the whole process tree; settles when none of it is left. */
	stop(): Promise<void>;
	/** Its container is gone. */
	abandon(): void;
	/** Settles when the program ended, its output was handed out and nothing of it is left in the container. */
	readonly ended: Promise<Ending & { runTimeMs: number }>;
}

/** The engine prints why it could not execute a command where the program's output would be. */
const refusalStart = "OCI runtime exec failed";

/** The engine learns of an exit a moment after the output ended. */
const exitCodeWithinMs = 2_000;
/** The engine answers before the program is there; a stop waits for it this long. */
const startWithinMs = 10_000;
/** The output of a killed program ends at once; this long it is waited for. */
const streamEndWithinMs = 300;
/** A size that the engine did not take is told it again this often, after this pause. */
const resizeAttempts = 5;
const resizeAgainAfterMs = 200;

/**
 * Starts the command. What of a run's processes outlives it is ended with it, so that the next run finds its ports
 * free; what a person started from a shell with `nohup` stays until the terminal is closed.
 * @throws RepldockError `not_running` when the container does not run, `container_failed` when the engine refuses.
 */
export async function startProgram(options: {
	engine: Engine;
	log: Logger;
	message: StartMessage;
	onOutput(bytes: Buffer): void;
}): Promise<Program> {
	const { engine, message, onOutput } = options;
	const marker = message.marker ?? `${message.ptyId}:${randomBytes(12).toString("base64url")}`;
	const log = options.log.child({ project: message.projectId, pty: message.ptyId });
	const container = await findContainer(engine, message.containerId);
	const { execId, stream } = await openExec(engine, message, marker);
	const startedAtMs = performance.now();
	const killsBefore = outOfMemoryKills(container.pid);
	let stopped = false;
	let containerGone = false;
	let refusal: string | null = null;
	let wantedSize = message.size;
	let isSizing = false;
	setSize(message.size);

	/** Sizes that come while one is on its way are left out but for the newest, which is set last. */
	function setSize(size: PtySize): void {
		wantedSize = size;
		if (!isSizing) void bringAboutSize();
	}

	async function bringAboutSize(): Promise<void> {
		isSizing = true;
		for (let failures = 0; failures < resizeAttempts && !stream.output.destroyed; ) {
			const size = wantedSize;
			try {
				await engine.resizeExec(execId, size.columns, size.rows);
				if (size === wantedSize) break;
			} catch (error) {
				// A program that has just ended has no size any more.
				if (stream.output.readableEnded || stream.output.destroyed) break;
				failures += 1;
				log.warn({ err: error, failures }, "the engine did not take the terminal's size");
				await delay(resizeAgainAfterMs);
			}
		}
		isSizing = false;
	}

	/** Host process id of the program, once the engine has made it; null when it has ended. */
	async function mainProcess(): Promise<number | null> {
		const giveUpAt = performance.now() + startWithinMs;
		while (performance.now() < giveUpAt && !containerGone) {
			const { running, exitCode, pid } = await engine.inspectExec(execId);
			if (running && pid > 0) return pid;
			if (exitCode !== null) return null;
			await delay(5);
		}
		return null;
	}

	async function readExitCode(): Promise<number | null> {
		const giveUpAt = performance.now() + exitCodeWithinMs;
		for (let waitMs = 2; performance.now() < giveUpAt; waitMs = Math.min(100, waitMs * 2)) {
			try {
				const { running, exitCode } = await engine.inspectExec(execId);
				if (!running && exitCode !== null) return exitCode;
			} catch (error) {
				log.warn({ err: error }, "the engine does not tell how the program ended");
			}
			if (containerGone) return null;
			await delay(waitMs);
		}
		return null;
	}

	async function finish(): Promise<Ending & { runTimeMs: number }> {
		await streamEnd(stream);
		stream.close();
		const runTimeMs = performance.now() - startedAtMs;
		const exitCode = containerGone ? null : await readExitCode();
		// Without an exit code the connection broke: nobody could ever see or stop the program again.
		const leftovers = message.kind === "console" || exitCode === null;
		if (leftovers && !containerGone) await endMarked(container, { marker, root: null }, log);
		const outOfMemory = outOfMemoryKills(container.pid) > killsBefore;
		const program = message.command[0] ?? "";
		const known = exitCode === 126 || exitCode === 127 ? refusal : null;
		if (refusal !== null && known === null) onOutput(Buffer.from(refusal));
		return { exitCode, stopped, containerGone, outOfMemory, refusal: known, program, runTimeMs };
	}

	stream.output.on("data", (bytes: Buffer) => {
		if (refusal === null && bytes.subarray(0, refusalStart.length).toString() !== refusalStart) return onOutput(bytes);
		refusal = `${refusal ?? ""}${bytes.toString()}`.slice(0, 4096);
	});

	// The end of the stream follows and is what counts.
	stream.output.on("error", (error) => log.debug({ err: error }, "the program's stream broke"));

	return {
		write: (bytes) => void stream.input.write(bytes),
		get queuedInput() {
			return stream.input.writableLength;
		},
		onInputTaken: (then) => void stream.input.once("drain", then),
		pause: () => void stream.output.pause(),
		resume: () => void stream.output.resume(),
		resize: setSize,
		async stop() {
			stopped = true;
			stream.output.resume();
			await endMarked(container, { marker, root: await mainProcess() }, log);
			const timer = setTimeout(() => stream.close(), streamEndWithinMs);
			await streamEnd(stream);
			clearTimeout(timer);
		},
		abandon() {
			containerGone = true;
			stream.close();
		},
		ended: finish(),
	};
}

async function findContainer(engine: Engine, id: string): Promise<ContainerReference> {
	const status = await engine.inspectContainer(id);
	if (status?.state === "running" && status.pid > 0) return { id, pid: status.pid };
	throw new RepldockError("not_running", "The project's container does not run. Press Run to start it.");
}

async function openExec(
	engine: Engine,
	message: StartMessage,
	marker: string,
): Promise<{ execId: string; stream: ExecStream }> {
	try {
		const { execId } = await engine.createExec(message.containerId, {
			command: message.command,
			environment: { ...message.environment, [markerVariable]: marker },
			workingDirectory: message.workingDirectory,
			tty: true,
			size: message.size,
		});
		return { execId, stream: await engine.startExec(execId, true) };
	} catch (error) {
		throw new RepldockError("container_failed", "The program could not be started in the container. Try again.", {
			cause: error,
		});
	}
}

/** Settles when no more output will come, for whatever reason. */
function streamEnd({ output }: ExecStream): Promise<void> {
	if (output.readableEnded || output.destroyed) return Promise.resolve();
	return new Promise((resolve) => {
		output.once("end", resolve);
		output.once("close", resolve);
	});
}

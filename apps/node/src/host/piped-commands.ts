import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CommandError } from "@repldock/service";
import type { Filter, ReceivedBytes, SentSnapshot } from "../host-storage.ts";
import { openKernelPipe } from "./kernel-pipe.ts";

/** What a command says of its failure, at most. */
const stderrMostLength = 4_000;

interface Started {
	child: ChildProcess;
	/** Resolves when it ended with 0. */
	end: Promise<void>;
}

/**
 * What a command prints, or what another one makes of it. Between the two there is a pipe of the kernel: bytes that this
 * process needs not see cost it nothing.
 */
export function sending(command: Filter, through?: Filter): SentSnapshot {
	// Whoever gives up on the output ends the commands with it: the next write breaks the pipe.
	if (!through) {
		const { child, end } = start(command, ["ignore", "pipe", "pipe"]);
		return { output: child.stdout as Readable, done: end };
	}
	const pipe = openKernelPipe();
	try {
		const filter = start(through, [pipe.readEnd, "pipe", "pipe"]);
		const sender = start(command, ["ignore", pipe.writeEnd, "pipe"]);
		return { output: filter.child.stdout as Readable, done: bothEnded(sender, filter) };
	} finally {
		pipe.close();
	}
}

/**
 * Hands a stream to a command, or to another one that hands on what it makes of it. The command ends with this process: to it
 * a stream that breaks off looks like one that has ended, and what it has made would come in the way of the next try.
 */
export async function receiving(command: Filter, { stream, through }: ReceivedBytes): Promise<void> {
	const { first, receiver, end } = through ? joinedBy(through, command) : alone(command);
	try {
		// A command that gives up breaks the pipe; why is in its own words.
		await pipeline(stream, first.child.stdin as Writable).catch(async (error: NodeJS.ErrnoException) => {
			if (error.code === "EPIPE") await end;
			throw error;
		});
	} catch (error) {
		first.child.kill("SIGKILL");
		receiver.child.kill("SIGKILL");
		await end.catch(() => undefined);
		throw error;
	}
	await end;
}

function alone(command: Filter) {
	const receiver = start(endingWithUs(command), ["pipe", "ignore", "pipe"]);
	return { first: receiver, receiver, end: receiver.end };
}

function joinedBy(through: Filter, command: Filter) {
	const pipe = openKernelPipe();
	try {
		const receiver = start(endingWithUs(command), [pipe.readEnd, "ignore", "pipe"]);
		const first = start(through, ["pipe", pipe.writeEnd, "pipe"]);
		return { first, receiver, end: bothEnded(receiver, first) };
	} finally {
		pipe.close();
	}
}

/** After both. Where both fail, the words of the one that is not the filter say more: the filter only lost its pipe. */
function bothEnded(first: Started, filter: Started): Promise<void> {
	const both = Promise.allSettled([first.end, filter.end]).then(([one, other]) => {
		for (const result of [one, other]) if (result.status === "rejected") throw result.reason;
	});
	both.catch(() => undefined);
	return both;
}

const endingWithUs = (command: Filter): Filter => ["setpriv", "--pdeathsig", "KILL", ...command];

function start([program, ...programArguments]: Filter, stdio: StdioOptions): Started {
	const child = spawn(program, programArguments, { stdio });
	let words = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		words = (words + text).slice(-stderrMostLength);
	});
	const end = new Promise<void>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) resolve();
			else reject(new CommandError([program, ...programArguments].join(" "), code, words, undefined));
		});
	});
	// Told to whoever waits for it, be that later.
	end.catch(() => undefined);
	return { child, end };
}

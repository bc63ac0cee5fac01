import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { createBackoff, type Logger } from "@repldock/service";
import { interfaceName } from "./cables.ts";
import { createLineReader } from "./line-reader.ts";
import { createTrafficReader, openTrafficNews, type TrafficChange } from "./netlink.ts";

/** One thing that the kernel tells of changes of its network, whoever made them. */
export interface KernelNews {
	from: "links" | "traffic" | "filter";
	/** Empty when some may have been missed. */
	line: string;
	/** Of traffic: the process that made the change; 0: it follows from something else. */
	by?: number;
}

interface Source {
	/** Prints the news for as long as it runs. */
	command: readonly string[];
	/** What the command reads; undefined: it needs nothing. */
	open?(): number;
	reader(): (part: Buffer) => Omit<KernelNews, "from">[];
}

function readLines() {
	const lines = createLineReader();
	return (part: Buffer) => lines.push(part).map((line) => ({ line }));
}

/** `tc monitor` would not tell who made a change. */
function readTraffic() {
	const changes = createTrafficReader();
	return (part: Buffer) =>
		changes.push(part).flatMap((change) => {
			const line = describe(change);
			return line === undefined ? [] : [{ line, by: change.by }];
		});
}

/** Of a device that is gone the links tell. */
function describe({ kind, isDeletion, interfaceIndex, handle }: TrafficChange): string | undefined {
	const device = interfaceName(interfaceIndex);
	const id = `${(handle >>> 16).toString(16)}:${(handle & 0xffff).toString(16)}`;
	return device && `${isDeletion ? "deleted" : "changed"} ${kind} ${id} dev ${device}`;
}

const sources: Record<KernelNews["from"], Source> = {
	links: { command: ["ip", "-oneline", "monitor", "link"], reader: readLines },
	traffic: { command: ["cat"], open: openTrafficNews, reader: readTraffic },
	filter: { command: ["nft", "monitor"], reader: readLines },
};

/** Follows the kernel's news until the call that it returns; monitors that end are started again. */
export function followKernel(onNews: (news: KernelNews) => void, log: Logger): () => Promise<void> {
	const stops = (Object.keys(sources) as KernelNews["from"][]).map((from) => follow(from, onNews, log));
	return async () => void (await Promise.all(stops.map((stop) => stop())));
}

function follow(from: KernelNews["from"], onNews: (news: KernelNews) => void, log: Logger): () => Promise<void> {
	const { command, open, reader } = sources[from];
	const backoff = createBackoff(200, 30_000);
	let child: ChildProcess | undefined;
	let timer: NodeJS.Timeout | undefined;
	let stopped = false;
	let ended: Promise<void> = Promise.resolve();

	function start() {
		const startedAtMs = performance.now();
		const input = open?.();
		// It reads nothing that would tell it of our end.
		const monitor = spawn("setpriv", ["--pdeathsig", "KILL", ...command], {
			stdio: [input ?? "ignore", "pipe", "pipe"],
			env: { ...process.env, LC_ALL: "C" },
		});
		if (input !== undefined) closeSync(input);
		child = monitor;
		const read = reader();
		monitor.stdout?.on("data", (part: Buffer) => {
			for (const news of read(part)) onNews({ from, ...news });
		});
		// The kernel drops news for those who do not keep up with it.
		monitor.stderr?.on("data", () => onNews({ from, line: "" }));
		ended = new Promise((resolve) => {
			const leave = (error?: Error) => {
				if (child !== monitor) return;
				child = undefined;
				resolve();
				if (stopped) return;
				log.warn({ err: error, monitor: from }, "the kernel's news broke off; they are followed again");
				if (performance.now() - startedAtMs > 60_000) backoff.reset();
				timer = setTimeout(start, backoff.nextMs());
			};
			monitor.once("error", leave);
			monitor.once("close", () => leave());
		});
		// It says nothing when it begins to listen; what happened before is found by a look soon after.
		monitor.once("spawn", () => onNews({ from, line: "" }));
	}

	start();
	return async () => {
		stopped = true;
		clearTimeout(timer);
		child?.kill("SIGKILL");
		await ended;
	};
}

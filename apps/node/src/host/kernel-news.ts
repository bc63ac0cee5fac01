import { type ChildProcess, spawn } from "node:child_process";
import { createBackoff, type Logger } from "@repldock/service";
import { createLineReader } from "./line-reader.ts";

/** One line of what the kernel tells of changes of its network, whoever made them. */
export interface KernelNews {
	from: keyof typeof monitors;
	/** Empty when some may have been missed. */
	line: string;
}

const monitors = {
	links: ["ip", "-oneline", "monitor", "link"],
	traffic: ["tc", "monitor"],
	filter: ["nft", "monitor"],
} as const;

/** Follows the kernel's news until the call that it returns; monitors that end are started again. */
export function followKernel(onNews: (news: KernelNews) => void, log: Logger): () => Promise<void> {
	const stops = (Object.keys(monitors) as KernelNews["from"][]).map((from) => follow(from, onNews, log));
	return async () => void (await Promise.all(stops.map((stop) => stop())));
}

function follow(from: KernelNews["from"], onNews: (news: KernelNews) => void, log: Logger): () => Promise<void> {
	const backoff = createBackoff(200, 30_000);
	let child: ChildProcess | undefined;
	let timer: NodeJS.Timeout | undefined;
	let stopped = false;
	let ended: Promise<void> = Promise.resolve();

	function start() {
		const startedAtMs = performance.now();
		// It reads nothing that would tell it of our end.
		const monitor = spawn("setpriv", ["--pdeathsig", "KILL", ...monitors[from]], {
			stdio: ["ignore", "pipe", "pipe"],
			env: { ...process.env, LC_ALL: "C" },
		});
		child = monitor;
		const lines = createLineReader();
		monitor.stdout.on("data", (part: Buffer) => {
			for (const line of lines.push(part)) if (line !== "") onNews({ from, line });
		});
		// The kernel drops news for those who do not keep up with it.
		monitor.stderr.on("data", () => onNews({ from, line: "" }));
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

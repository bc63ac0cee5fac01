import { Agent, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { Problem, RepldockError } from "@repldock/protocol";
import { createBackoff, type Logger } from "@repldock/service";
import {
	HolderSnapshot,
	type ResetMessage,
	type SentCount,
	SentCounts,
	type SetOriginsMessage,
	type SetPacesMessage,
	type SetRightsMessage,
	type StartMessage,
	type StopMessage,
	Tail,
	type TailMessage,
	WatchEvent,
	type WriteMessage,
} from "./messages.ts";

/** The holder, as the agent sees it. Commands throw RepldockError; see messages.ts for what each one does. */
export interface HolderClient {
	start(message: StartMessage): Promise<void>;
	stop(message: StopMessage): Promise<void>;
	remove(message: StopMessage): Promise<void>;
	reset(message: ResetMessage): Promise<void>;
	write(message: WriteMessage): Promise<void>;
	tail(message: TailMessage): Promise<string>;
	setRights(message: SetRightsMessage): Promise<void>;
	setOrigins(message: SetOriginsMessage): Promise<void>;
	setPaces(message: SetPacesMessage): Promise<void>;
	list(): Promise<HolderSnapshot>;
	/** What the viewers of each project were sent, as it rises. */
	sent(): Promise<SentCount[]>;
	/**
	 * Calls back with a snapshot first, then with each change, until the signal aborts. Reconnects by itself, with a
	 * new snapshot each time: then is the moment to send origins, paces and rights, since the holder may be a new one.
	 */
	watch(onEvent: (event: WatchEvent) => void, signal: AbortSignal): void;
}

const unreachable = "The terminals of this server cannot be reached. Try again in a moment.";

export function createHolderClient(options: { socketPath: string; log: Logger }): HolderClient {
	const { socketPath, log } = options;
	const agent = new Agent({ keepAlive: true });

	function send(
		method: string,
		path: string,
		body: string | undefined,
		signal?: AbortSignal,
	): Promise<IncomingMessage> {
		return new Promise((resolve, reject) => {
			const outgoing = request(
				{
					socketPath,
					method,
					path,
					agent: signal ? false : agent,
					headers: { "content-type": "application/json" },
					...(signal ? { signal } : {}),
				},
				resolve,
			);
			outgoing.on("error", (error) => reject(new RepldockError("internal", unreachable, { cause: error })));
			outgoing.end(body);
		});
	}

	async function command(name: string, message: unknown): Promise<void> {
		const response = await send("POST", `/${name}`, JSON.stringify(message));
		const text = await readText(response);
		if (response.statusCode !== 204) throw readProblem(text);
	}

	async function follow(onEvent: (event: WatchEvent) => void, signal: AbortSignal, onOpen: () => void): Promise<void> {
		const response = await send("GET", "/watch", undefined, signal);
		if (response.statusCode !== 200) throw readProblem(await readText(response));
		onOpen();
		for await (const line of createInterface({ input: response })) onEvent(WatchEvent.parse(JSON.parse(line)));
	}

	return {
		start: (message) => command("start", message),
		stop: (message) => command("stop", message),
		remove: (message) => command("remove", message),
		reset: (message) => command("reset", message),
		write: (message) => command("write", message),
		async tail(message) {
			const response = await send("POST", "/tail", JSON.stringify(message));
			const text = await readText(response);
			if (response.statusCode !== 200) throw readProblem(text);
			return Tail.parse(JSON.parse(text)).text;
		},
		setRights: (message) => command("setRights", message),
		setOrigins: (message) => command("setOrigins", message),
		setPaces: (message) => command("setPaces", message),
		async list() {
			return HolderSnapshot.parse(JSON.parse(await readText(await send("GET", "/list", undefined))));
		},
		async sent() {
			const response = await send("GET", "/sent", undefined);
			const text = await readText(response);
			// A holder of an earlier version, which runs on, counts nothing.
			if (response.statusCode !== 200) throw readProblem(text);
			return SentCounts.parse(JSON.parse(text)).projects;
		},
		watch(onEvent, signal) {
			const backoff = createBackoff(50, 2_000);
			const again = (error?: unknown) => {
				if (signal.aborted) return;
				log.warn({ err: error }, "the holder's connection ended; connecting again");
				const timer = setTimeout(connect, backoff.nextMs());
				signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
			};
			const connect = () => {
				follow(onEvent, signal, backoff.reset).then(() => again(), again);
			};
			connect();
		},
	};
}

async function readText(response: IncomingMessage): Promise<string> {
	const parts: Buffer[] = [];
	for await (const part of response) parts.push(part as Buffer);
	return Buffer.concat(parts).toString();
}

function readProblem(text: string): RepldockError {
	const problem = Problem.safeParse(text === "" ? null : JSON.parse(text));
	if (!problem.success) return new RepldockError("internal", unreachable, { cause: text });
	const { code, detail, fields } = problem.data;
	return new RepldockError(code, detail, fields ? { fields } : {});
}

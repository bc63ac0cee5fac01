import { type ChildProcess, spawn } from "node:child_process";
import type { OwnProcesses } from "./own-processes.ts";

/** A program that carries out lines for as long as the agent lives, because starting it costs more than what it does. */
export interface Conversation {
	/**
	 * Has the lines carried out, those of one caller after another's.
	 * @returns all that the program printed, its complaints among it.
	 * @throws ConversationError when the program ended or fell silent: what it did by then nobody knows.
	 */
	say(lines: string): Promise<string>;
	/** The next lines go to a new program, which remembers nothing. */
	renew(): void;
	/** Process id of the present program; undefined when there is none. */
	pid(): number | undefined;
}

export class ConversationError extends Error {
	override name = "ConversationError";
}

export interface ConversationOptions {
	program: string;
	arguments: readonly string[];
	/** What the program prints, last of all, when it is told this word, which it does not know. */
	complaint(word: string): RegExp;
	/** Where its processes are noted. */
	processes?: OwnProcesses;
	answerWithinMs?: number;
	/** A program is replaced after so many answers: what it remembers of each does not add up. */
	mostAnswers?: number;
}

/** Both streams as one: only so it is known what was printed before what. */
const joined = 'exec "$@" 2>&1';
/** What a program that works at all needs to say that it does not understand a word. */
const firstAnswerWithinMs = 5_000;

interface Listener {
	/** Looks at what was printed until now. */
	heard(): void;
	ended(error: ConversationError): void;
}

interface Partner {
	process: ChildProcess;
	printed: string;
	answers: number;
	listener: Listener | undefined;
}

/** Starts nothing yet; a program runs from the first line on, keeps no process alive and ends with ours. */
export function createConversation(options: ConversationOptions): Conversation {
	const { program, answerWithinMs = 60_000, mostAnswers = 1_000 } = options;
	let partner: Partner | undefined;
	let words = 0;
	/** Set when the program does not answer as it must; it is not tried again. */
	let unfit: ConversationError | undefined;
	let last: Promise<unknown> = Promise.resolve();

	function start(): Partner {
		const child = spawn("/bin/sh", ["-c", joined, "sh", program, ...options.arguments], {
			stdio: ["pipe", "pipe", "ignore"],
			// No history of what was said is kept in anybody's home.
			env: { ...process.env, LC_ALL: "C", HOME: "/dev/null" },
		});
		const fresh: Partner = { process: child, printed: "", answers: 0, listener: undefined };
		options.processes?.started(child.pid);
		const leave = (cause?: Error) => {
			if (partner === fresh) partner = undefined;
			fresh.listener?.ended(new ConversationError(`${program} ended in the midst of its work`, { cause }));
		};
		child.once("error", leave);
		child.once("exit", () => {
			options.processes?.ended(child.pid);
			leave();
		});
		child.stdin?.on("error", leave);
		child.stdout?.setEncoding("utf8").on("data", (part: string) => {
			fresh.printed += part;
			fresh.listener?.heard();
		});
		hold(fresh, false);
		return fresh;
	}

	function ask(to: Partner, lines: string, withinMs: number): Promise<string> {
		words += 1;
		const word = `repldock_end_${words}`;
		const complaint = options.complaint(word);
		hold(to, true);
		return new Promise<string>((resolve, reject) => {
			const timer = setTimeout(() => {
				to.process.kill("SIGKILL");
				to.listener?.ended(new ConversationError(`${program} did not answer within ${withinMs / 1000} s`));
			}, withinMs);
			const settle = () => {
				clearTimeout(timer);
				to.listener = undefined;
				hold(to, false);
			};
			to.listener = {
				heard() {
					const end = to.printed.includes(word) ? complaint.exec(to.printed) : null;
					if (!end) return;
					settle();
					to.printed = "";
					to.answers += 1;
					resolve(end.input.slice(0, end.index));
				},
				ended(error) {
					settle();
					reject(error);
				},
			};
			to.process.stdin?.write(`${lines}\n${word}\n`);
		});
	}

	async function present(): Promise<Partner> {
		if (unfit) throw unfit;
		if (partner) return partner;
		const fresh = start();
		partner = fresh;
		try {
			await ask(fresh, "", firstAnswerWithinMs);
		} catch (error) {
			if (error instanceof ConversationError) unfit = error;
			throw error;
		}
		return fresh;
	}

	function renew() {
		partner?.process.stdin?.end();
		partner = undefined;
	}

	return {
		say(lines) {
			const answer = last.then(async () => {
				const to = await present();
				const text = await ask(to, lines, answerWithinMs);
				if (to.answers >= mostAnswers && to === partner) renew();
				return text;
			});
			last = answer.catch(() => undefined);
			return answer;
		},
		renew,
		pid: () => partner?.process.pid,
	};
}

/** Only while an answer is awaited does the program keep ours from ending. */
function hold({ process: child }: Partner, isHeld: boolean) {
	const streams = [child.stdin, child.stdout] as unknown as ({ ref(): void; unref(): void } | null)[];
	for (const each of [child, ...streams]) isHeld ? each?.ref() : each?.unref();
}

import { execFile } from "node:child_process";

/** A command ended with a non-zero code or a signal; the message carries its last output for the log. */
export class CommandError extends Error {
	readonly exitCode: number | null;
	readonly stderr: string;

	constructor(command: string, exitCode: number | null, stderr: string, cause: unknown) {
		super(`${command} failed (${exitCode ?? "signal"}): ${stderr.trim().slice(-2000)}`, { cause });
		this.name = "CommandError";
		this.exitCode = exitCode;
		this.stderr = stderr;
	}
}

/**
 * Runs a program with an argument array, never through a shell, and returns what it printed.
 * @throws CommandError when it does not exit with 0 within the time (default 60 s).
 */
export function runCommand(
	program: string,
	commandArguments: readonly string[],
	options: {
		input?: string;
		timeoutMs?: number;
		environment?: Record<string, string | undefined>;
		directory?: string;
		/** Told the program's process id, as soon as it runs and before it does anything. */
		started?: (pid: number | undefined) => void;
	} = {},
): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = execFile(
			program,
			[...commandArguments],
			{
				timeout: options.timeoutMs ?? 60_000,
				maxBuffer: 64 * 1024 * 1024,
				env: { ...process.env, LC_ALL: "C", ...options.environment },
				...(options.directory === undefined ? {} : { cwd: options.directory }),
			},
			(error, stdout, stderr) => {
				if (!error) return resolve(stdout);
				const exitCode = typeof error.code === "number" ? error.code : null;
				reject(new CommandError([program, ...commandArguments].join(" "), exitCode, stderr || error.message, error));
			},
		);
		options.started?.(child.pid);
		// A program that ends before it read its input breaks the pipe; its exit code tells the story.
		child.stdin?.on("error", () => undefined);
		child.stdin?.end(options.input ?? "");
	});
}

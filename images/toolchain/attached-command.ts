/** Running a long command whose output is shown while it runs, and which never outlives this process. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How many of the last lines of a failed program go into the error. */
const lastLinesInError = 10;

/** The first complaints are worth more than the last lines, which often only follow from them. */
const complaint = /^E: |\berror\b/i;
const complaintsInError = 10;

/**
 * Runs a program without a shell, in mount and process namespaces of its own: when it ends, or this process ends, however
 * that happens, its children and everything it mounted are gone too. (mmdebstrap mounts /proc, /sys and devices into the new
 * system; a mount left behind there would make it dangerous to remove the folder.)
 * @param options.input is written to its standard input, which is then closed.
 * @param options.onLine gets each line of standard output and standard error, as it comes.
 * @throws Error with the end of what it printed and its first complaints, when it cannot be started or its exit code is not 0.
 */
export function runAttachedCommand(
	program: string,
	commandArguments: readonly string[],
	options: { input: string; environment: Record<string, string>; onLine: (line: string) => void },
): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = spawn(
			"setpriv",
			[
				...["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
				...[program, ...commandArguments],
			],
			{ env: { ...process.env, ...options.environment }, stdio: ["pipe", "pipe", "pipe"] },
		);
		const lastLines: string[] = [];
		const complaints: string[] = [];
		for (const stream of [child.stdout, child.stderr]) {
			createInterface({ input: stream }).on("line", (line) => {
				lastLines.push(line);
				if (lastLines.length > lastLinesInError) lastLines.shift();
				if (complaint.test(line) && complaints.length < complaintsInError) complaints.push(line.slice(0, 300));
				options.onLine(line);
			});
		}
		child.on("error", (cause) => reject(new Error(`${program} could not be started: ${cause.message}`, { cause })));
		child.on("close", (code, signal) => {
			if (code === 0) return resolve();
			const story = [...lastLines, "What it complained of:", ...complaints].join("\n");
			reject(new Error(`${program} failed (${signal ?? `exit code ${code}`}):\n${story}`));
		});
		// A program that ends before it read its input breaks the pipe; its exit code tells the story.
		child.stdin.on("error", () => undefined);
		child.stdin.end(options.input);
	});
}

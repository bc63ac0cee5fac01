/** What the console says in the agent's and holder's own words, apart from what programs print. */

const red = "\x1b[31m";
const dim = "\x1b[2m";
const plain = "\x1b[0m";

/**
 * Undoes what a program that was killed may have left behind, without moving the cursor: colours, hidden cursor,
 * alternate screen, application keys, mouse reports, bracketed paste.
 */
export const restoreModes = `${plain}\x1b[?25h\x1b[?47l\x1b[?1l\x1b[?7h\x1b[?1000;1002;1003;1004;1006;2004l\x1b>`;

/** Marks the place where output was thrown away after Ctrl-C. */
export const skippedMark = `${plain}\r\n${dim}[output skipped]${plain}\r\n`;

export function problemText(sentence: string): string {
	return `${red}${sentence}${plain}\r\n`;
}

/** What a program's end was about, as far as its exit code alone would not tell a beginner. */
export interface Ending {
	exitCode: number | null;
	/** A person asked for it. */
	stopped: boolean;
	/** The container went away under it. */
	containerGone: boolean;
	/** The kernel ended a process of the container during the run because memory ran out. */
	outOfMemory: boolean;
	/** What the engine said when it could not execute the command; null when the program started. */
	refusal: string | null;
	program: string;
}

/** @returns the sentence for PtyState.note; `printed` when the console should show it too. */
export function endingNote(ending: Ending): { note: string | null; printed: boolean } {
	if (ending.containerGone) return { note: "The container stopped.", printed: true };
	if (ending.stopped) return { note: "Stopped.", printed: false };
	if (ending.refusal !== null) return { note: refusalNote(ending.program, ending.refusal), printed: true };
	if (ending.outOfMemory && ending.exitCode !== 0) {
		const note = "Out of memory: the program needed more than the project may use, so it was ended.";
		return { note, printed: true };
	}
	if (ending.exitCode === 127) {
		return { note: "Command not found. Check the run command in .replit, or install what it needs.", printed: true };
	}
	if (ending.exitCode === 126) {
		const note = "The command could not be executed. Check that it is a program and may be executed (chmod +x).";
		return { note, printed: true };
	}
	if (ending.exitCode === null)
		return { note: "The connection to the program was lost, so it was ended.", printed: true };
	return { note: null, printed: false };
}

function refusalNote(program: string, refusal: string): string {
	if (/executable file not found|no such file or directory/.test(refusal)) {
		return `Command not found: ${program}. Check the run command in .replit, or install what it needs.`;
	}
	if (/permission denied/.test(refusal))
		return `${program} may not be executed. Make it executable: chmod +x ${program}`;
	if (/resource temporarily unavailable|cannot allocate memory/i.test(refusal)) {
		return "The container is too busy to start another program. Stop what runs in it and try again.";
	}
	return `${program} could not be started.`;
}

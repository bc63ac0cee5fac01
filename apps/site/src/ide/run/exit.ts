import type { PtyState } from "@repldock/protocol";
import { describeDuration } from "./duration.ts";

/** Signals that end programs often, by number. */
const signalNames: Readonly<Record<number, string>> = {
	2: "Interrupted",
	6: "Aborted",
	9: "Killed",
	11: "Crashed (segmentation fault)",
	15: "Stopped",
};

/** How a program ended, in one line; null while it runs or when none ever ran. */
export function describeExit(state: PtyState): { text: string; good: boolean } | null {
	if (state.running || state.exitCode === null) return null;
	const signal = state.exitCode > 128 ? signalNames[state.exitCode - 128] : undefined;
	const how = signal ? `${signal}, exit code ${state.exitCode}` : `Exit code ${state.exitCode}`;
	const time = state.runTimeMs === null ? "" : ` after ${describeDuration(state.runTimeMs)}`;
	return { text: how + time, good: state.exitCode === 0 };
}

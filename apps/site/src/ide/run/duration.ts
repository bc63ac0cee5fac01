/** A run time as people say it: `840 ms`, `3.2 s`, `2 min 5 s`, `1 h 4 min`. */
export function describeDuration(milliseconds: number): string {
	if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
	const seconds = milliseconds / 1000;
	if (seconds < 60) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
	return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The same for a program that still runs: whole seconds, since it is told once a second. */
export function describeRunning(milliseconds: number): string {
	const seconds = Math.max(0, Math.floor(milliseconds / 1000));
	return seconds < 60 ? `${seconds} s` : describeDuration(seconds * 1000);
}

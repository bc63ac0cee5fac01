import type { FileChange, Version } from "@repldock/protocol";

/** Versions of one day of this browser's time. */
export type Day = { key: string; title: string; versions: readonly Version[] };

/** Groups versions, in the order they are in, by day: "Today", "Yesterday", then dates. */
export function byDay(versions: readonly Version[], now: Date = new Date()): Day[] {
	const days: { key: string; title: string; versions: Version[] }[] = [];
	for (const version of versions) {
		const taken = new Date(version.takenAt);
		const key = taken.toDateString();
		const last = days.at(-1);
		if (last?.key === key) last.versions.push(version);
		else days.push({ key, title: describeDay(taken, now), versions: [version] });
	}
	return days;
}

export function describeDay(day: Date, now: Date): string {
	if (day.toDateString() === now.toDateString()) return "Today";
	// By the calendar: days of 23 and 25 hours have a yesterday too.
	const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
	if (day.toDateString() === yesterday.toDateString()) return "Yesterday";
	const year = day.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
	return day.toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "long", ...year });
}

/** As the badge "Durable up to …" says it, so that the two can be compared. */
export function describeTime(takenAt: string): string {
	return new Date(takenAt).toLocaleTimeString();
}

/** Why there is this version. */
export function describeKind({ kind, recovered }: Version): string {
	if (recovered) return "Recovered from another server";
	if (kind === "before-restore") return "Before a restore";
	return kind === "named" ? "Saved by hand" : "Saved by itself";
}

/** What else there is to know of a version, for those that raise a question. */
export function explainKind({ kind, recovered, current }: Version): string | null {
	if (recovered) {
		return "Another server took the project over while this one was out of reach. What was made on this one after that is in no later version; it is kept here.";
	}
	if (kind === "before-restore") {
		return "The files as they were just before an earlier version was restored. Restore this one to undo that.";
	}
	return current ? "If this server were lost now, the project would come back like this." : null;
}

/** After "as it was": the version's name, or when it was. */
export function wasWhen(version: Version, now: Date = new Date()): string {
	if (version.name !== null) return `in “${version.name}”`;
	const day = describeDay(new Date(version.takenAt), now);
	const words = day === "Today" || day === "Yesterday" ? day.toLowerCase() : `on ${day}`;
	return `${words} at ${describeTime(version.takenAt)}`;
}

export const changeWords: Record<FileChange["change"], { word: string; sign: string }> = {
	added: { word: "Added", sign: "+" },
	removed: { word: "Removed", sign: "−" },
	modified: { word: "Modified", sign: "~" },
};

/** `2 added, 1 removed, 3 modified`; what there is none of is left out. @param unread files that may have changed too. */
export function countChanges(changes: readonly FileChange[], truncated: boolean, unread = 0): string {
	const files =
		unread === 1
			? "One more file looks unchanged, and is"
			: `${unread.toLocaleString("en")} more files look unchanged, and are`;
	return `${countTold(changes, truncated)}${unread === 0 ? "" : ` ${files} too large to be compared.`}`;
}

function countTold(changes: readonly FileChange[], truncated: boolean): string {
	if (changes.length === 0) return "Nothing has changed since then.";
	const parts = (["modified", "added", "removed"] as const).flatMap((change) => {
		const count = changes.filter((each) => each.change === change).length;
		return count === 0 ? [] : [`${count.toLocaleString("en")} ${change}`];
	});
	return `${parts.join(", ")} since then${truncated ? ", and more that are not listed" : ""}.`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const steps: readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
	["year", 31_536_000],
	["month", 2_592_000],
	["week", 604_800],
	["day", 86_400],
	["hour", 3_600],
	["minute", 60],
];

/** A time in the past in words, such as “3 hours ago”. */
export function ago(time: string, now: number = Date.now()): string {
	const seconds = Math.round((now - Date.parse(time)) / 1000);
	for (const [unit, length] of steps) {
		if (seconds >= length) return relative.format(-Math.floor(seconds / length), unit);
	}
	return "just now";
}

/** Whole days until a time, at least 0. */
export function daysUntil(time: string, now: number = Date.now()): number {
	return Math.max(0, Math.ceil((Date.parse(time) - now) / 86_400_000));
}

/** A moment for people: of today its time, otherwise its date as well. */
export function momentText(time: string, now: Date = new Date()): string {
	const moment = new Date(time);
	const isToday = moment.toDateString() === now.toDateString();
	return isToday ? moment.toLocaleTimeString() : moment.toLocaleString();
}

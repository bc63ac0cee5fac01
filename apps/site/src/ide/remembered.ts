/** What the page remembers of a project in this browser: open tabs, sizes, choices. Losing it costs comfort only. */
export type Remembered = {
	tabs: string[];
	activeTab: string | null;
	expanded: string[];
	showHidden: boolean;
	/** Panel sizes in percent, by group and panel. */
	layouts: Record<string, Record<string, number>>;
	/** Which of the right side's panels is shown. */
	rightTab: string;
	narrowTab: string;
};

const nothing: Remembered = {
	tabs: [],
	activeTab: null,
	expanded: [],
	showHidden: false,
	layouts: {},
	rightTab: "console",
	narrowTab: "code",
};

export type Memory = { get(): Remembered; change(change: Partial<Remembered>): void; isNew: boolean };

/** Opens what this browser remembers of a project; where storage is refused it lasts as long as the page. */
export function openMemory(projectId: string, storage: Storage | null = browserStorage()): Memory {
	const key = `repldock.project.${projectId}`;
	const stored = readRemembered(storage?.getItem(key) ?? null);
	let value = stored ?? nothing;
	return {
		isNew: stored === null,
		get: () => value,
		change(change) {
			value = { ...value, ...change };
			try {
				storage?.setItem(key, JSON.stringify(value));
			} catch (error) {
				console.warn("The layout could not be kept in this browser:", error); // Full storage; see above.
			}
		},
	};
}

/** Reads what an earlier version of the page may have written; wrong parts are left out. */
export function readRemembered(text: string | null): Remembered | null {
	if (text === null) return null;
	let value: Partial<Record<keyof Remembered, unknown>> | null;
	try {
		value = JSON.parse(text);
	} catch {
		return null; // Somebody else's entry: start afresh.
	}
	if (typeof value !== "object" || value === null) return null;
	const strings = (list: unknown) => (Array.isArray(list) ? list.filter((item) => typeof item === "string") : []);
	return {
		tabs: strings(value.tabs),
		activeTab: typeof value.activeTab === "string" ? value.activeTab : null,
		expanded: strings(value.expanded),
		showHidden: value.showHidden === true,
		layouts: typeof value.layouts === "object" && value.layouts ? (value.layouts as Remembered["layouts"]) : {},
		rightTab: typeof value.rightTab === "string" ? value.rightTab : nothing.rightTab,
		narrowTab: typeof value.narrowTab === "string" ? value.narrowTab : nothing.narrowTab,
	};
}

function browserStorage(): Storage | null {
	try {
		return localStorage;
	} catch {
		return null; // Refused by the browser's privacy settings; see openMemory.
	}
}

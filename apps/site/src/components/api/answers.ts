/** Answers of the API that only these pages read. Times are ISO 8601. */

export interface Page<Item> {
	items: Item[];
	nextCursor: string | null;
}

export interface PersonalToken {
	id: string;
	name: string;
	createdAt: string;
	lastUsedAt: string | null;
}

export interface CreatedToken extends PersonalToken {
	/** Shown this once. */
	token: string;
}

export interface SiteSettings {
	registration: "open" | "closed";
}

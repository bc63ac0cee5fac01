/** What the server hands to each page (`Astro.locals`). */
export interface SiteLocals {
	/** Who is signed in. */
	user: { id: string; name: string; email: string; role: "admin" | "user" } | null;
	/** Where people reach the site, without a slash at the end. */
	siteUrl: string;
	/** Domain under which each project has its own host name. */
	appsDomain: string;
	/** Whether strangers may sign up. */
	registrationOpen: boolean;
	/** Nobody administers this site yet: the one-time link is still to be used. */
	needsFirstAdministrator: boolean;
	/** Of `/visit` alone. */
	visit: VisitPage | null;
}

/** What `/visit` shows to who was not sent on. */
export type VisitPage =
	| { kind: "refused"; host: string | null }
	| { kind: "ask"; host: string; ownerName: string; request: { host: string; to: string; state: string } };

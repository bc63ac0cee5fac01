/// <reference types="astro/client" />

declare namespace App {
	type SiteLocals = import("./locals.ts").SiteLocals;
	/** What the server tells every page: who is here, and the site's settings. */
	interface Locals extends SiteLocals {}
}

/**
 * Where to go after signing in. Only paths of this site count; anything else leads to the projects.
 * @param origin the site's own, for example `http://localhost:8080`.
 */
export function nextPath(next: string | null, origin: string): string {
	const fallback = "/projects";
	if (!next?.startsWith("/") || !URL.canParse(next, origin)) return fallback;
	const target = new URL(next, origin);
	return target.origin === new URL(origin).origin ? target.pathname + target.search + target.hash : fallback;
}

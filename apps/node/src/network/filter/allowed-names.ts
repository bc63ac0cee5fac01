/** Whether a name is on a list; `*.example.org` stands for all names below it, not for `example.org` itself. */
export function isAllowedName(name: string, allowedDomains: readonly string[]): boolean {
	return allowedDomains.some((domain) =>
		domain.startsWith("*.") ? name.endsWith(domain.slice(1)) && name.length > domain.length - 1 : name === domain,
	);
}

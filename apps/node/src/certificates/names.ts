import { isIP } from "node:net";

/** Whether a certificate with these names is for this host: by its exact name, or by a wildcard for one label. */
export function covers(names: readonly string[], host: string): boolean {
	if (names.includes(host)) return true;
	const parent = /^[^.]+(\..+)$/.exec(host)?.[1];
	return parent !== undefined && !host.startsWith("*") && names.includes(`*${parent}`);
}

/** Whether a public authority can know this name at all. */
export function isPublicName(name: string): boolean {
	const host = name.replace(/^\*\./, "");
	return !isIP(host) && host.includes(".") && !/\.(?:localhost|local|internal|test|invalid|example)$/.test(host);
}

/**
 * The names to get a certificate for, each one of its own: so a domain that its owner has taken away does not keep the
 * others from being renewed. Names that another certificate is for already are left out.
 */
export function namesToGet(wanted: readonly string[], present: readonly string[]): string[] {
	const unique = [...new Set(wanted)].filter((name) => !covers(present, name));
	return unique.filter((name) => !unique.some((other) => other !== name && covers([other], name)));
}

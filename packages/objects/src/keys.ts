import { ObjectStoreError } from "./errors.ts";

export const mostKeyBytes = 512;

/** Longest part of a key between slashes: it is a file's name in a folder. */
const mostSegmentBytes = 255;
const segment = /^[A-Za-z0-9_=@~-][A-Za-z0-9._=@~-]*$/;

/**
 * A key is a path of ASCII names: letters, digits and `._=@~-`, with single slashes between them. No name begins with
 * a dot, so `..` cannot be said and the folder store has names of its own.
 * @throws ObjectStoreError `invalid_key`
 */
export function checkKey(key: string): void {
	const valid =
		key.length <= mostKeyBytes && key.split("/").every((name) => name.length <= mostSegmentBytes && segment.test(name));
	if (!valid) throw new ObjectStoreError("invalid_key", `${JSON.stringify(key.slice(0, 80))} is not an object's key.`);
}

export function isKey(text: string): boolean {
	try {
		checkKey(text);
		return true;
	} catch {
		return false;
	}
}

/**
 * A prefix is any beginning of a key: empty, ending with a slash, or in the middle of a name.
 * @throws ObjectStoreError `invalid_key`
 */
export function checkPrefix(prefix: string): void {
	if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
}

/** Keys are ASCII, so the order of code units is that of bytes. */
export function compareKeys(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

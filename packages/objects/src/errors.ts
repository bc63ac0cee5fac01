/**
 * Why the store did not do what it was asked. An outage never looks like an absent object: only `not_found` says that
 * there is none.
 *
 * - `not_found`: the store answered that it has no such object
 * - `refused`: the store does not let us, now or later: wrong keys, a missing bucket, a read-only folder
 * - `unavailable`: it could not be asked or did not finish; try again later
 * - `corrupt`: the bytes are not those that were stored
 * - `invalid_key`: the name is none that a store takes; a mistake of the caller
 */
export type ObjectStoreErrorCode = "not_found" | "refused" | "unavailable" | "corrupt" | "invalid_key";

/** An error of an object store with its machine code; the message is a sentence for the operator, free of secrets. */
export class ObjectStoreError extends Error {
	readonly code: ObjectStoreErrorCode;

	constructor(code: ObjectStoreErrorCode, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.name = "ObjectStoreError";
		this.code = code;
	}
}

export function isNotFound(error: unknown): boolean {
	return error instanceof ObjectStoreError && error.code === "not_found";
}

export function notFound(key: string): ObjectStoreError {
	return new ObjectStoreError("not_found", `The object store has no object ${key}.`);
}

export function corrupt(key: string, what: string): ObjectStoreError {
	return new ObjectStoreError("corrupt", `The object ${key} is damaged: ${what}.`);
}

import { ObjectStoreError } from "./errors.ts";

/** An error of the file system in the words of the store; what is none of it passes unchanged. */
export function folderError(error: unknown, folder: string): unknown {
	const code = errorCode(error);
	if (code === undefined || error instanceof ObjectStoreError) return error;
	if (["EACCES", "EPERM", "EROFS"].includes(code)) {
		return new ObjectStoreError("refused", `${folder} does not let Repldock keep objects (${code}).`, error);
	}
	if (["EISDIR", "ENOTDIR", "EEXIST"].includes(code)) {
		return new ObjectStoreError("invalid_key", "A key of an object cannot be the beginning of another's path.", error);
	}
	return new ObjectStoreError("unavailable", `${folder} cannot be used now (${code}).`, error);
}

export function errorCode(error: unknown): string | undefined {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	// Errors of streams and aborts have such codes too; those of system calls name the call.
	return typeof code === "string" && error instanceof Error && "syscall" in error ? code : undefined;
}

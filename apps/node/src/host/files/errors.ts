import { constants } from "node:os";
import { type ErrorCode, RepldockError } from "@repldock/protocol";

/** What the kernel's refusals mean to the person, by errno name. */
const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
	ENOENT: ["file_not_found", "This file or folder does not exist (any more)."],
	ENOTDIR: ["file_not_found", "A part of this path is a file, not a folder."],
	EXDEV: ["invalid_path", "This path is a link that leads out of the project."],
	ELOOP: ["invalid_path", "This path is a link that leads to itself or out of the project."],
	ENAMETOOLONG: ["invalid_path", "This name or path is too long. Choose a shorter one."],
	EISDIR: ["invalid_path", "This is a folder, not a file."],
	EEXIST: ["already_exists", "Something with this name is there already. Choose another name."],
	EDQUOT: ["quota_exceeded", "The project's disk space is used up. Delete files that you no longer need."],
	ENOSPC: ["disk_full", "The server's disk is full. Your operator has to make room."],
	EPERM: ["not_allowed", "This file or folder cannot be changed."],
	EAGAIN: ["invalid_path", "A program keeps renaming folders on the way to this file. Stop it and try again."],
};

const errorNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The error that a person may see; anything that no one could have caused by a path stays as it is. */
export function toFileError(error: unknown): unknown {
	const { code = "", errno = 0 } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
	// Node has no name for some errors, EDQUOT among them; the number is always there.
	const meaning = meanings[errorNames.get(-errno) ?? code];
	return meaning && !(error instanceof RepldockError) ? new RepldockError(...meaning, { cause: error }) : error;
}

/** Runs a job and gives its errors a meaning. */
export async function withFileErrors<T>(job: () => T | Promise<T>): Promise<T> {
	try {
		return await job();
	} catch (error) {
		throw toFileError(error);
	}
}

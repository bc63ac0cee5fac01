import { randomBytes } from "node:crypto";
import {
	closeSync,
	fchmodSync,
	fchownSync,
	futimesSync,
	lchownSync,
	linkSync,
	renameSync,
	symlinkSync,
	unlinkSync,
} from "node:fs";
import { RepldockError } from "@repldock/protocol";
import type { NewFile, Staging } from "../../host-files.ts";
import type { RunnerId } from "../subordinate-ids.ts";
import { toFileError, withFileErrors } from "./errors.ts";
import {
	createChildFile,
	entryPath,
	entryPathOf,
	openChildDirectory,
	openDirectory,
	openDirectoryBelow,
	ownNamePrefix,
	splitPath,
	using,
} from "./resolve.ts";
import { inTheWay, joinNames, makeOwned, openOrNull, readAll, takePlace, writeStretches } from "./staging-entries.ts";
import { moveAll, parts, requireFiles, settle, unwrap } from "./staging-moves.ts";
import { renameWithoutReplacing, shareBytes } from "./syscalls.ts";
import { makeDirectories } from "./write.ts";

const mostNamesTried = 100;

/** @param root the volume's root directory on the host. */
export async function openStaging(root: string, owner: RunnerId): Promise<Staging> {
	const path = `${ownNamePrefix}import-${randomBytes(8).toString("hex")}`;
	return withFileErrors(() =>
		using(openDirectory(root, ""), async (rootFd) => {
			await using(makeOwned(rootFd, Buffer.from(path), 0o700, owner), (fd) =>
				closeSync(makeOwned(fd, Buffer.from(parts.filling), 0o755, owner)),
			);
			return createStaging(root, path, owner);
		}),
	);
}

function createStaging(root: string, path: string, owner: RunnerId): Staging {
	/** The folder of the last entry, since the next one is mostly in the same. */
	let last: { path: string; fd: number } | undefined;

	function forgetLast() {
		if (last) closeSync(last.fd);
		last = undefined;
	}

	/** The folder that these names lead to, made where it is missing. Closed by the next call. */
	function folder(parents: readonly Buffer[]): number {
		const wanted = joinNames(parents);
		const key = wanted.toString("latin1");
		if (last?.path === key) return last.fd;
		forgetLast();
		let fd = openDirectory(root, `${path}/${parts.filling}`);
		try {
			const direct = openOrNull(fd, wanted);
			if (direct !== null) {
				closeSync(fd);
				fd = direct;
			} else {
				for (const name of parents) {
					const next = openOrNull(fd, name) ?? makeOwned(fd, name, 0o755, owner);
					closeSync(fd);
					fd = next;
				}
			}
		} catch (error) {
			closeSync(fd);
			throw error;
		}
		last = { path: key, fd };
		return fd;
	}

	function split(whole: readonly Buffer[]): { directory: number; name: Buffer } {
		const name = whole.at(-1);
		if (!name) throw new RepldockError("invalid_archive", "The archive holds an entry without a name.");
		return { directory: folder(whole.slice(0, -1)), name };
	}

	function finishFile(fd: number, file: Pick<NewFile, "mode" | "modifiedAtMs">) {
		fchownSync(fd, owner.uid, owner.gid);
		fchmodSync(fd, (file.mode & 0o777) | 0o600);
		futimesSync(fd, file.modifiedAtMs / 1000, file.modifiedAtMs / 1000);
	}

	/** A later entry of the same name replaces an earlier one, folders aside. */
	function clear(directory: number, name: Buffer) {
		try {
			unlinkSync(entryPathOf(directory, name));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === "EISDIR") throw inTheWay(name);
			if (code !== "ENOENT") throw error;
		}
	}

	return {
		path,

		addDirectory: told((whole, mode) => {
			const { directory, name } = split(whole);
			const fd = openOrNull(directory, name) ?? makeOwned(directory, name, mode | 0o700, owner);
			closeSync(fd);
		}),

		addFile: (whole, file, content) =>
			withFileErrors(async () => {
				const { directory, name } = split(whole);
				let fd: number;
				try {
					fd = createChildFile(directory, name);
				} catch (error) {
					if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
					clear(directory, name);
					fd = createChildFile(directory, name);
				}
				await using(fd, async () => {
					await writeStretches(fd, file, content);
					finishFile(fd, file);
				});
			}),

		addLink: told((whole, target) => {
			const { directory, name } = split(whole);
			clear(directory, name);
			symlinkSync(target, entryPathOf(directory, name));
			lchownSync(entryPathOf(directory, name), owner.uid, owner.gid);
		}),

		addName: told((whole, existing) => {
			const source = existing.at(-1);
			if (!source) throw new RepldockError("invalid_archive", "The archive holds a link without a target.");
			const base = openDirectory(root, `${path}/${parts.filling}`);
			try {
				const from = openDirectoryBelow(base, joinNames(existing.slice(0, -1)));
				try {
					const { directory, name } = split(whole);
					if (whole.length === existing.length && joinNames(whole).equals(joinNames(existing))) return;
					clear(directory, name);
					linkSync(entryPathOf(from, source), entryPathOf(directory, name));
				} finally {
					closeSync(from);
				}
			} finally {
				closeSync(base);
			}
		}),

		addClone: (whole, entry, twin = null) =>
			withFileErrors(async () => {
				const { directory, name } = split(whole);
				const fd = createChildFile(directory, name);
				await using(fd, async () => {
					if (!(await using(twin ?? entry.open(), (from) => shareBytes(fd, from)))) {
						const stretches = entry.data();
						await writeStretches(fd, { ...entry, stretches }, readAll(entry, stretches));
					}
					finishFile(fd, entry);
				});
			}),

		replaceAll: (shape) =>
			withFileErrors(async () => {
				forgetLast();
				await using(openDirectory(root, ""), (rootFd) =>
					using(openChildDirectory(rootFd, path), async (fd) => {
						if (shape === "wrapped") await requireFiles(fd);
						await using(makeOwned(fd, Buffer.from(parts.old), 0o700, owner), (oldFd) => moveAll(rootFd, oldFd));
						if (shape === "wrapped") await unwrap(fd, parts.ready);
						else renameSync(entryPath(fd, parts.filling), entryPath(fd, parts.ready));
						await using(openChildDirectory(fd, parts.ready), (readyFd) => moveAll(readyFd, rootFd));
					}),
				);
			}),

		publish: (parent, name) =>
			withFileErrors(async () => {
				forgetLast();
				return using(openDirectory(root, path), (fd) =>
					using(openDirectory(root, parent), async (parentFd) => {
						await requireFiles(fd);
						await unwrap(fd, parts.whole);
						const source = entryPath(fd, parts.whole);
						for (let attempt = 1; attempt <= mostNamesTried; attempt += 1) {
							const chosen = attempt === 1 ? name : `${name} ${attempt}`;
							try {
								renameWithoutReplacing(source, entryPath(parentFd, chosen));
								return parent === "" ? chosen : `${parent}/${chosen}`;
							} catch (error) {
								if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
							}
						}
						throw new RepldockError("already_exists", `There are too many folders named “${name}” here.`);
					}),
				);
			}),

		replaceOne: (target) =>
			withFileErrors(async () => {
				forgetLast();
				const { parent, name } = splitPath(target);
				makeDirectories(root, owner, parent);
				await using(openDirectory(root, `${path}/${parts.filling}`), (fd) =>
					using(openDirectory(root, parent), (parentFd) => takePlace(entryPath(fd, name), entryPath(parentFd, name))),
				);
			}),

		async discard() {
			forgetLast();
			await settle(root, path);
		},
	};
}

/** The same job, with errors that a person may see. */
function told<Value>(job: (path: readonly Buffer[], value: Value) => void): typeof job {
	return (path, value) => {
		try {
			job(path, value);
		} catch (error) {
			throw toFileError(error);
		}
	};
}

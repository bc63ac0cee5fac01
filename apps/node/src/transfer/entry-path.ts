import { RepldockError } from "@repldock/protocol";

const nameMaxBytes = 255;
/** What the kernel takes, less the folder in which the import is put together. */
const pathMaxBytes = 4_000;
const slash = 0x2f;

/**
 * The names of an entry's path; none for the top folder itself.
 * @throws RepldockError `invalid_archive` for a path that leads out or that no file can have.
 */
export function readEntryPath(path: Buffer): Buffer[] {
	if (path[0] === slash) throw leadsOut(path);
	if (path.length > pathMaxBytes)
		throw refused(path, "has a path of more than 4,000 bytes. Nest its folders less deep");
	const names = splitNames(path).filter((name) => name.length > 0 && !isText(name, "."));
	for (const name of names) {
		if (isText(name, "..")) throw leadsOut(path);
		if (name.length > nameMaxBytes) throw refused(path, "has a name of more than 255 bytes. Shorten it");
		if (name.includes(0)) throw refused(path, "has a name that no file can have. Rename it");
	}
	return names;
}

/** An entry that the archive may hold, but no project. */
export function refused(path: Buffer, why: string): RepldockError {
	const shown = JSON.stringify(path.subarray(0, 200).toString("utf8"));
	return new RepldockError("invalid_archive", `${shown} in the archive ${why}, and pack it anew.`);
}

function leadsOut(path: Buffer): RepldockError {
	return refused(path, "leads out of the project. Pack it with paths that begin at its own folder");
}

function isText(name: Buffer, text: string): boolean {
	return name.toString("latin1") === text;
}

function splitNames(path: Buffer): Buffer[] {
	const names: Buffer[] = [];
	for (let at = 0; at <= path.length; ) {
		const end = path.indexOf(slash, at);
		names.push(path.subarray(at, end < 0 ? path.length : end));
		if (end < 0) break;
		at = end + 1;
	}
	return names;
}

import type { TreeEntry } from "../host-files.ts";

const blockBytes = 512;
/** Largest number that eleven octal digits hold; a larger one goes into an extended header. */
const largestOctal = 0o77777777777;
/** Whose files they are to whoever unpacks them as root: the containers' user. */
const runner = { id: 1000, name: "runner" };
/** Files with several names that are remembered; further ones are packed once a name. */
const mostShared = 100_000;

type Stretch = { start: number; end: number };

/**
 * A tar (POSIX pax) of these entries, block by block as it is read. Files with holes are written as GNU tar's sparse
 * format 1.0, which needs no space for the holes; a further name of a file is written as a link to the first one.
 */
export async function* writeTar(entries: AsyncIterable<TreeEntry>): AsyncGenerator<Buffer> {
	const firstNames = new Map<string, Buffer>();
	for await (const entry of entries) {
		if (entry.kind === "directory") {
			yield* header(entry, { path: Buffer.concat([entry.path, Buffer.from("/")]), type: "5" });
			continue;
		}
		if (entry.kind === "link") {
			yield* header(entry, { path: entry.path, type: "2", target: entry.target });
			continue;
		}
		const first = entry.sharedId === null ? undefined : firstNames.get(entry.sharedId);
		if (first) {
			yield* header(entry, { path: entry.path, type: "1", target: first });
			continue;
		}
		if (entry.sharedId !== null && firstNames.size < mostShared) firstNames.set(entry.sharedId, entry.path);
		yield* file(entry);
	}
	yield Buffer.alloc(2 * blockBytes);
}

async function* file(entry: TreeEntry): AsyncGenerator<Buffer> {
	const stretches = entry.data();
	const bytes = stretches.reduce((sum, { start, end }) => sum + end - start, 0);
	if (bytes === entry.size) {
		yield* header(entry, { path: entry.path, type: "0", size: bytes });
	} else {
		const map = sparseMap(stretches, entry.size);
		const records = [
			record("GNU.sparse.major", "1"),
			record("GNU.sparse.minor", "0"),
			record("GNU.sparse.name", entry.path),
			record("GNU.sparse.realsize", String(entry.size)),
		];
		const name = Buffer.from("GNUSparseFile.0/file");
		yield* header(entry, { path: name, type: "0", size: map.length + bytes, records });
		yield map;
	}
	for (const stretch of stretches) yield* entry.read(stretch);
	yield padding(bytes);
}

/** Number of stretches, then offset and length of each, in decimal lines; filled up to whole blocks. */
function sparseMap(stretches: readonly Stretch[], size: number): Buffer {
	// The last stretch marks the end of the file, as GNU tar writes it.
	const last = stretches.at(-1)?.end === size ? [] : [{ start: size, end: size }];
	const numbers = [...stretches, ...last].flatMap(({ start, end }) => [start, end - start]);
	const map = Buffer.from([numbers.length / 2, ...numbers].map((number) => `${number}\n`).join(""));
	return Buffer.concat([map, padding(map.length)]);
}

function padding(bytes: number): Buffer {
	return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

interface Fields {
	path: Buffer;
	type: string;
	size?: number;
	target?: Buffer;
	/** Further records of the extended header. */
	records?: Buffer[];
}

function* header(entry: TreeEntry, { path, type, size = 0, target, records = [] }: Fields): Generator<Buffer> {
	const extended = [...records];
	if (!fits(path)) extended.push(record("path", path));
	if (target && !fits(target)) extended.push(record("linkpath", target));
	if (size > largestOctal) extended.push(record("size", String(size)));
	if (extended.length > 0) {
		const isText = [path, entry.path, ...(target ? [target] : [])].every(isUtf8);
		const content = Buffer.concat(isText ? extended : [record("hdrcharset", "BINARY"), ...extended]);
		yield block({ path: Buffer.from("PaxHeader"), type: "x", size: content.length, mode: 0o644, modifiedAtMs: 0 });
		yield Buffer.concat([content, padding(content.length)]);
	}
	const { mode, modifiedAtMs } = entry;
	yield block({ path, type, size: size > largestOctal ? 0 : size, target, mode, modifiedAtMs });
}

const isUtf8 = (bytes: Buffer) => Buffer.from(bytes.toString("utf8")).equals(bytes);
/** Plain headers hold 100 bytes; everybody agrees on ASCII in them. */
const fits = (bytes: Buffer) => bytes.length <= 100 && bytes.every((byte) => byte < 0x80);

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: string | Buffer): Buffer {
	const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
	let length = rest.length + 1;
	while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
	return Buffer.concat([Buffer.from(String(length)), rest]);
}

function block(fields: {
	path: Buffer;
	type: string;
	size: number;
	target?: Buffer | undefined;
	mode: number;
	modifiedAtMs: number;
}): Buffer {
	const bytes = Buffer.alloc(blockBytes);
	const octal = (value: number, at: number, digits: number) =>
		bytes.write(Math.max(0, Math.floor(value)).toString(8).padStart(digits, "0"), at, "latin1");
	fields.path.copy(bytes, 0, 0, 100);
	octal(fields.mode, 100, 7);
	octal(runner.id, 108, 7);
	octal(runner.id, 116, 7);
	octal(fields.size, 124, 11);
	octal(Math.min(fields.modifiedAtMs / 1000, largestOctal), 136, 11);
	bytes.write("        ", 148, "latin1");
	bytes.write(fields.type, 156, "latin1");
	fields.target?.copy(bytes, 157, 0, 100);
	bytes.write("ustar\x0000", 257, "latin1");
	bytes.write(runner.name, 265, "latin1");
	bytes.write(runner.name, 297, "latin1");
	const sum = bytes.reduce((total, byte) => total + byte, 0);
	bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return bytes;
}

/** Codes of answers, RFC 1035 and 6895. */
export const responseCode = { formatError: 1, serverFailure: 2, noSuchName: 3, refused: 5 } as const;

export const recordType = { a: 1, aaaa: 28 } as const;

export interface Question {
	id: number;
	/** Small letters, no dot at the end; bytes that no host name has are written as `\ddd`. */
	name: string;
	type: number;
	/** The message up to the end of its question. */
	length: number;
}

export interface AddressRecord {
	address: string;
	ttlSeconds: number;
}

const headerLength = 12;
const classInternet = 1;
/** Far more than any chain of names has; a loop of pointers ends here. */
const mostPointers = 32;

/** The one question of a query. @returns null for what is none: an answer, several questions, a broken message. */
export function readQuestion(message: Buffer): Question | null {
	if (message.length < headerLength) return null;
	const flags = message.readUInt16BE(2);
	const isStandardQuery = (flags & 0xf800) === 0;
	if (!isStandardQuery || message.readUInt16BE(4) !== 1 || message.readUInt16BE(6) !== 0) return null;
	return questionAt(message);
}

/** The IPv4 addresses of an answer, and the question that it answers. @returns null for a broken message. */
export function readAnswer(message: Buffer): { question: Question; addresses: AddressRecord[] } | null {
	if (message.length < headerLength || message.readUInt16BE(4) !== 1) return null;
	const question = questionAt(message);
	if (!question) return null;
	const addresses: AddressRecord[] = [];
	let at = question.length;
	for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
		const name = readName(message, at);
		if (!name || name.end + 10 > message.length) return null;
		const type = message.readUInt16BE(name.end);
		const kind = message.readUInt16BE(name.end + 2);
		const ttlSeconds = message.readUInt32BE(name.end + 4);
		const length = message.readUInt16BE(name.end + 8);
		const data = message.subarray(name.end + 10, name.end + 10 + length);
		if (data.length < length) return null;
		if (type === recordType.a && kind === classInternet && length === 4)
			addresses.push({ address: data.join("."), ttlSeconds });
		at = name.end + 10 + length;
	}
	return { question, addresses };
}

/** An answer without records: the question again, and a code; 0 means that the name has none of this type. */
export function emptyAnswer(query: Buffer, { length }: Question, code: number): Buffer {
	const answer = Buffer.from(query.subarray(0, length));
	const asked = query.readUInt16BE(2);
	// Response, recursion available; opcode and "recursion desired" as they were asked.
	answer.writeUInt16BE((asked & 0x7900) | 0x8080 | code, 2);
	answer.writeUInt32BE(0, 6);
	answer.writeUInt16BE(0, 10);
	return answer;
}

function questionAt(message: Buffer): Question | null {
	const name = readName(message, headerLength);
	if (!name || name.end + 4 > message.length) return null;
	return {
		id: message.readUInt16BE(0),
		name: name.text,
		type: message.readUInt16BE(name.end),
		length: name.end + 4,
	};
}

function readName(message: Buffer, start: number): { text: string; end: number } | null {
	const labels: string[] = [];
	let at = start;
	let end = -1;
	let pointers = 0;
	let length = 0;
	for (;;) {
		const size = message[at];
		if (size === undefined) return null;
		if (size === 0) return { text: labels.join("."), end: end < 0 ? at + 1 : end };
		if (size >= 0xc0) {
			const low = message[at + 1];
			pointers += 1;
			if (low === undefined || pointers > mostPointers) return null;
			if (end < 0) end = at + 2;
			at = ((size & 0x3f) << 8) | low;
			continue;
		}
		length += size + 1;
		if (size > 63 || length > 254 || at + 1 + size > message.length) return null;
		labels.push(writeLabel(message.subarray(at + 1, at + 1 + size)));
		at += 1 + size;
	}
}

/** A dot within a label must not look like one between two. */
function writeLabel(bytes: Buffer): string {
	const text = bytes.toString("latin1").toLowerCase();
	return text.replace(/[^a-z0-9_-]/g, (character) => `\\${character.charCodeAt(0).toString().padStart(3, "0")}`);
}

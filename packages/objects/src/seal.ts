/**
 * The end of an object's file in a folder store: a skippable frame of Zstandard (RFC 8878, 3.1.2), which `zstd -d`
 * passes over, with a mark and the SHA-256 of the bytes before it.
 */
const frameMagic = 0x184d2a5e;
const mark = Buffer.from("repldock");
const sumBytes = 32;
export const sealBytes = 8 + mark.length + sumBytes;

export function sealOf(sum: Uint8Array): Buffer {
	const header = Buffer.alloc(8);
	header.writeUInt32LE(frameMagic, 0);
	header.writeUInt32LE(mark.length + sumBytes, 4);
	return Buffer.concat([header, mark, sum]);
}

/** @returns the sum, or null when this is no seal: the file was cut or is none of ours. */
export function readSeal(seal: Uint8Array): Buffer | null {
	const sum = Buffer.from(seal).subarray(-sumBytes);
	return seal.length === sealBytes && sealOf(sum).equals(seal) ? sum : null;
}

/** Both ends are included. */
export interface ByteRange {
	start: number;
	end: number;
}

/**
 * Reads a Range header for content of this size. One range is served; anything else that the header may say is left
 * out, as RFC 9110 allows.
 * @returns null to send everything, "unsatisfiable" for 416.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null | "unsatisfiable" {
	const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
	if (!match || (match[1] === "" && match[2] === "")) return null;
	if (match[1] === "") {
		const length = Math.min(Number(match[2]), size);
		return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
	}
	const start = Number(match[1]);
	const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
	if (match[2] !== "" && Number(match[2]) < start) return null;
	return start >= size ? "unsatisfiable" : { start, end };
}

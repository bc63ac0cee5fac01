import { StringDecoder } from "node:string_decoder";

/** Cuts a byte stream into its non-empty lines; the last one is kept until its end arrives. */
export function createLineReader(): { push(part: Buffer): string[] } {
	const decoder = new StringDecoder("utf8");
	let rest = "";
	return {
		push(part) {
			const lines = (rest + decoder.write(part)).split("\n");
			rest = lines.pop() ?? "";
			return lines.map((line) => line.trim()).filter((line) => line !== "");
		},
	};
}

import type { Durability } from "@repldock/protocol";

/** What a person is told of how much of the work is in the object store. */
export function describeDurability(
	{ upTo, problem }: Durability,
	timeOf: (iso: string) => string,
): { kind: "durable" | "waiting" | "problem"; text: string; detail: string } {
	if (problem !== null) {
		const text = upTo === null ? "Not durable yet" : `Not durable since ${timeOf(upTo)}`;
		const kept = "Your files are kept on this server, and stored as soon as it works again.";
		return { kind: "problem", text, detail: `${problem} ${kept}` };
	}
	if (upTo === null) {
		return { kind: "waiting", text: "Not durable yet", detail: "The first copy goes to the object store in a moment." };
	}
	return {
		kind: "durable",
		text: `Durable up to ${timeOf(upTo)}`,
		detail: "All that was typed or written by then is in the object store and outlives this server.",
	};
}

import { expect, test } from "vitest";
import { describeDurability } from "../../src/ide/layout/durability.ts";

const timeOf = (iso: string) => iso.slice(11, 19);
const upTo = "2030-01-02T14:03:22.000Z";

test("people read until when their work is durable, and since when it is not and why", () => {
	expect(describeDurability({ upTo, problem: null }, timeOf)).toMatchObject({
		kind: "durable",
		text: "Durable up to 14:03:22",
	});
	expect(describeDurability({ upTo, problem: "The object store does not answer." }, timeOf)).toMatchObject({
		kind: "problem",
		text: "Not durable since 14:03:22",
		detail: expect.stringContaining("The object store does not answer."),
	});
	expect(describeDurability({ upTo: null, problem: null }, timeOf)).toMatchObject({
		kind: "waiting",
		text: "Not durable yet",
	});
});

import type { FileChange, Version } from "@repldock/protocol";
import { documentMaxBytes } from "@repldock/protocol/constants";
import { expect, test } from "vitest";
import { ProblemError } from "../../src/ide/connection/problem.ts";
import { compareTexts, readContent } from "../../src/ide/history/content.ts";
import { byDay, countChanges, describeKind, explainKind, wasWhen } from "../../src/ide/history/words.ts";

function version(taken: Date, values: Partial<Version> = {}): Version {
	return {
		id: "1.1",
		kind: "change",
		name: null,
		takenAt: taken.toISOString(),
		recovered: false,
		current: false,
		...values,
	};
}

test("versions are grouped by the days of this browser's calendar", () => {
	const now = new Date(2026, 2, 1, 0, 30);
	const days = byDay(
		[
			version(new Date(2026, 2, 1, 0, 10)),
			version(new Date(2026, 1, 28, 23, 59)),
			version(new Date(2026, 1, 28, 0, 1)),
			version(new Date(2026, 1, 27, 12, 0)),
			version(new Date(2025, 11, 31, 12, 0)),
		],
		now,
	);
	expect(days.map(({ versions }) => versions.length)).toEqual([1, 2, 1, 1]);
	expect(days.slice(0, 2).map(({ title }) => title)).toEqual(["Today", "Yesterday"]);
	expect(days[2]?.title).toContain("27");
	expect(days[2]?.title).not.toContain("2026");
	expect(days[3]?.title).toContain("2025");
});

test("why there is a version is said in words, and what raises a question is explained", () => {
	const now = new Date();
	expect(describeKind(version(now))).toBe("Saved by itself");
	expect(describeKind(version(now, { kind: "named" }))).toBe("Saved by hand");
	expect(describeKind(version(now, { kind: "before-restore" }))).toBe("Before a restore");
	expect(describeKind(version(now, { recovered: true, kind: "named" }))).toBe("Recovered from another server");
	expect(explainKind(version(now))).toBeNull();
	expect(explainKind(version(now, { recovered: true }))).toContain("in no later version");
	expect(explainKind(version(now, { current: true }))).toContain("If this server were lost");
	expect(wasWhen(version(now, { name: "Good" }))).toBe("in “Good”");
	expect(wasWhen(version(now), now)).toMatch(/^today at /);
});

test("changes are counted by what happened, and a list that is cut off says so", () => {
	const change = (path: string, what: FileChange["change"]): FileChange => ({ path, change: what, kind: "file" });
	expect(countChanges([], false)).toBe("Nothing has changed since then.");
	expect(countChanges([change("a", "added"), change("b", "added"), change("c", "modified")], false)).toBe(
		"1 modified, 2 added since then.",
	);
	expect(countChanges([], false, 1)).toBe(
		"Nothing has changed since then. One more file looks unchanged, and is too large to be compared.",
	);
	expect(countChanges([change("a", "removed")], false, 2)).toBe(
		"1 removed since then. 2 more files look unchanged, and are too large to be compared.",
	);
	expect(countChanges([change("a", "removed")], true)).toBe("1 removed since then, and more that are not listed.");
});

const signal = new AbortController().signal;
const read = (
	body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
	path = "a.txt",
	headers: Record<string, string> = {},
) => readContent(async () => new Response(body, { headers }), path, signal);

test("texts are told from what is no text, and pictures from both", async () => {
	expect(await read("grüße\r\n")).toEqual({ kind: "text", text: "grüße\r\n" });
	expect(await read("")).toEqual({ kind: "text", text: "" });
	expect(await read(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0]))).toEqual({ kind: "binary" });
	const picture = await read(new Uint8Array([0x89, 0x50, 0]), "a.png");
	expect(picture).toMatchObject({ kind: "media", type: { kind: "image", mime: "image/png" } });
});

test("no more of a file is taken than can be shown, whether its length is told or not", async () => {
	expect(await read("x", "a.txt", { "content-length": String(documentMaxBytes + 1) })).toEqual({ kind: "large" });
	let sent = 0;
	let cancelled = false;
	const long = new ReadableStream<Uint8Array>({
		pull(controller) {
			sent += 1_000_000;
			if (sent > 40_000_000) return controller.close();
			controller.enqueue(new Uint8Array(1_000_000).fill(65));
		},
		cancel() {
			cancelled = true;
		},
	});
	expect(await read(long)).toEqual({ kind: "large" });
	expect(cancelled).toBe(true);
	expect(sent).toBeLessThan(documentMaxBytes + 4_000_000);
});

test("a file that is not there is no error, anything else is", async () => {
	const refuse = (code: "file_not_found" | "not_found") =>
		readContent(
			async () => {
				throw new ProblemError({ code, status: 404, detail: "It is not there." });
			},
			"a.txt",
			signal,
		);
	expect(await refuse("file_not_found")).toEqual({ kind: "absent" });
	// The version itself is gone: that must not look like a file that was added since.
	await expect(refuse("not_found")).rejects.toThrow("It is not there.");
});

test("texts that differ in the ends of their lines alone are told apart from others", () => {
	expect(compareTexts("a\nb", "a\nb")).toBe("same");
	expect(compareTexts("a\nb\n", "a\r\nb\r\n")).toBe("line-ends");
	expect(compareTexts("a\nb", "a\n b")).toBe("different");
});

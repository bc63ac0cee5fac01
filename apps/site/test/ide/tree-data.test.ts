import { expect, test } from "vitest";
import { listForTree } from "../../src/ide/files/tree-data.ts";

const entry = (name: string) => ({ name, kind: "file" as const, size: 1, modifiedAtMs: 0 });

test("the last one that is shown of a folder says when there is more than is listed, and only then", async () => {
	const list = (truncated: boolean) => async (path: string) => {
		return { path, entries: ["a", "b", "hidden"].map(entry), truncated };
	};
	const cutAt = async (truncated: boolean) =>
		(await listForTree({ list: list(truncated) }, "many", (path) => path === "many/hidden"))
			.filter(({ data }) => data.isCut)
			.map(({ id }) => id);
	expect(await cutAt(true)).toEqual(["/many/b"]);
	expect(await cutAt(false)).toEqual([]);
});

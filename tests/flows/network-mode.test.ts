import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { runCommand } from "@repldock/service";
import { expect, inject, test } from "vitest";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

/** How many containers the filter holds in a mode, by its chain. */
async function members(chain: "open" | "allow_list" | "closed"): Promise<number> {
	const data = realpathSync(inject("instance").data);
	// As apps/node/src/config.ts makes it.
	const table = `rd_${createHash("sha256").update(data).digest("hex").slice(0, 8)}`;
	const map = await runCommand("nft", ["list", "map", "inet", table, "modes"]);
	return map.split(`goto ${chain}`).length - 1;
}

test("a project's container is in the filter before its first program, and follows its owner's choice while it runs", async () => {
	const before = { list: await members("allow_list"), closed: await members("closed") };
	const { project, workspace } = await openProject("bash");
	const path = `/projects/${project.id}/network`;
	await site().call("PATCH", path, { mode: "allow-list", allowedDomains: ["example.org"] });
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");
	await eventually("the list in the filter", async () => (await members("allow_list")) === before.list + 1, 30_000);
	await site().call("PATCH", path, { mode: "closed" });
	await eventually("the end of the list", async () => (await members("closed")) === before.closed + 1, 30_000);
	expect(await members("allow_list")).toBe(before.list);
	// A closed project still serves its owner.
	terminal.type("echo still-$((1+1))\r");
	await terminal.expect("still-2");
	terminal.close();
});

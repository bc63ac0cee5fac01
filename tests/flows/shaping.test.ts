import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { runCommand } from "@repldock/service";
import { expect, inject, test } from "vitest";
import { repldock } from "../support/instance.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

/** Names as apps/node/src/config.ts makes them. */
function names() {
	const instance = createHash("sha256")
		.update(realpathSync(inject("instance").data))
		.digest("hex")
		.slice(0, 8);
	return { bridge: `rd-${instance}`, device: `rdi-${instance}` };
}

async function shapedCables(): Promise<string[]> {
	const { bridge, device } = names();
	const links = JSON.parse(await runCommand("ip", ["-json", "link", "show", "master", bridge])) as { ifname: string }[];
	const shaped: string[] = [];
	for (const { ifname } of links) {
		const filters = await runCommand("tc", ["filter", "show", "dev", ifname, "ingress"]).catch(() => "");
		if (filters.includes(`to device ${device}`)) shaped.push(ifname);
	}
	return shaped;
}

test("a project's container is shaped before its first program runs; what is taken away by hand comes back", async () => {
	const before = new Set(await shapedCables());
	const { workspace } = await openProject("bash");
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");
	const cable = (await shapedCables()).find((name) => !before.has(name));
	expect(cable).toBeDefined();
	await runCommand("tc", ["qdisc", "del", "dev", cable ?? "", "ingress"]);
	expect(await shapedCables()).not.toContain(cable);
	// An agent looks at everything when it starts, and from time to time.
	await repldock(["restart", "agent", "--data", inject("instance").data]);
	await eventually("the mended cable", async () => (await shapedCables()).includes(cable ?? ""), 60_000);
	terminal.close();
});

test("a throttle by an operator is felt by visitors at once, and gone when it is lifted", async () => {
	const { project, workspace } = await openProject("static", { visibility: "public" });
	const bytes = 600_000;
	await workspace.write("large.bin", "x".repeat(bytes));
	await workspace.run();
	const download = async () => {
		const startedAtMs = performance.now();
		const { status, body } = await visit(`${project.url}large.bin`);
		expect([status, body.length]).toEqual([200, bytes]);
		return (bytes * 8) / ((performance.now() - startedAtMs) / 1000);
	};
	await eventually("the app", async () => (await visit(project.url)).status === 200, 30_000);
	const path = `/admin/projects/${project.id}/network-restriction`;
	const bitsPerSecond = 2_000_000;
	await site().call("POST", path, { kind: "throttled", bitsPerSecond, reason: "a test of the line" });
	// Some of it is a burst; never twice what is allowed over all of it.
	await eventually("the throttle", async () => (await download()) < 2 * bitsPerSecond, 30_000);
	await site().call("DELETE", path);
	await eventually("the end of the throttle", async () => (await download()) > 2 * bitsPerSecond, 30_000);
});

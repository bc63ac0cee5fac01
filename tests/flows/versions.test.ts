import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
	DirectoryListing,
	ExportReady,
	Version,
	VersionChanges,
	VersionList,
	VersionRestored,
} from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, inject, onTestFinished, test } from "vitest";
import { repldock } from "../support/instance.ts";
import { writeNumbers } from "../support/numbers-program.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject, site } from "../support/world.ts";

async function ask<T>(workspace: WorkspaceClient, method: string, path: string, body?: object): Promise<T> {
	const sent = body === undefined ? undefined : JSON.stringify(body);
	return (await (await workspace.request(method, `/versions${path}`, sent, "application/json")).json()) as T;
}

const list = (id: string, query = "", client = site()) =>
	client.call<VersionList>("GET", `/projects/${id}/versions${query}`);

test("a version is saved, named, found again, compared, brought back while the program runs, and the restore undone", async () => {
	const { project, workspace } = await openProject("bash", { visibility: "public" });
	await workspace.makeDirectory("src");
	await workspace.write("src/a.txt", "first");
	await workspace.write("watch.sh", "while true; do echo sees: $(cat src/a.txt) $(ls); read -r -t 0.2 _; done\n");
	const saved = await ask<Version>(workspace, "POST", "", { name: "Works" });
	expect(saved).toMatchObject({ kind: "named", name: "Works" });
	await eventually("the site to know it", async () => (await list(project.id, "?named=1")).versions.length === 1);
	const renamed = await site().call<Version>("PATCH", `/projects/${project.id}/versions/${saved.id}`, {
		name: "Worked",
	});
	expect(renamed).toMatchObject({ id: saved.id, name: "Worked" });

	await workspace.write("src/a.txt", "second");
	await workspace.remove("main.sh");
	await workspace.write("new.txt", "new");
	const { changes } = await ask<VersionChanges>(workspace, "GET", `/${saved.id}/changes`);
	expect(changes.map(({ path, change }) => `${change} ${path}`)).toEqual([
		"removed main.sh",
		"added new.txt",
		"modified src/a.txt",
	]);

	const console = await workspace.attach("console");
	onTestFinished(() => console.close());
	await workspace.run("watch.sh");
	await eventually("the program", () => console.text.includes("sees: second"));
	const { undo } = await ask<VersionRestored>(workspace, "POST", `/${saved.id}/restore`, {});
	expect(undo).toMatchObject({ kind: "before-restore", name: null });
	await eventually("what the running program sees", () => /sees: first main\.sh src watch\.sh/.test(console.text));
	expect((await workspace.list()).entries.map(({ name }) => name)).toEqual(["src", ".replit", "main.sh", "watch.sh"]);
	await ask(workspace, "POST", `/${undo.id}/restore`, {});
	expect(await workspace.read("new.txt")).toBe("new");
	await ask(workspace, "POST", `/${saved.id}/restore`, { path: "main.sh" });
	expect((await workspace.list()).entries.map(({ name }) => name)).toContain("main.sh");
	expect(await workspace.read("src/a.txt")).toBe("second");
	await workspace.stop();

	// Whoever may see the project sees its versions, and changes nothing.
	const person = { name: "Eve", email: "eve-versions@example.com", password: "correct horse" };
	const eve = await SiteClient.signUp(site().siteUrl, person);
	expect((await list(project.id, "?named=1", eve)).versions.map(({ name }) => name)).toEqual(["Worked"]);
	const visitor = await WorkspaceClient.open(eve, project.id);
	const seen = await ask<DirectoryListing>(visitor, "GET", `/${saved.id}/files?path=src`);
	expect(seen.entries.map(({ name }) => name)).toEqual(["a.txt"]);
	await expect(ask(visitor, "POST", `/${saved.id}/restore`, {})).rejects.toMatchObject({ code: "not_allowed" });
	await expect(ask(visitor, "POST", "", { name: "mine" })).rejects.toMatchObject({ code: "not_allowed" });

	const folder = await mkdtemp(join(tmpdir(), "repldock-version-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const exported = await workspace.request("POST", "/export", JSON.stringify({ format: "zip", version: saved.id }));
	const { path } = (await exported.json()) as ExportReady;
	const archive = await fetch(`${workspace.gatewayUrl}${path}`);
	await writeFile(join(folder, "a.zip"), new Uint8Array(await archive.arrayBuffer()));
	expect(await runCommand("unzip", ["-p", join(folder, "a.zip"), "src/a.txt"])).toBe("first");
});

test("versions outlive the node's own snapshots and an agent that is killed, and what was fetched is cleared away", async () => {
	const { project, workspace } = await openProject("bash");
	const saved: Version[] = [];
	for (const text of ["one", "two", "three"]) {
		await workspace.write("a.txt", text);
		saved.push(await ask<Version>(workspace, "POST", "", { name: text }));
	}
	const content = async (version: Version | undefined) =>
		(await workspace.request("GET", `/versions/${version?.id}/content?path=a.txt`)).text();
	expect(await content(saved[0])).toBe("one");
	const { data } = inject("instance");
	const shelf = join(data, "volumes/.versions", project.id);
	expect(await readdir(shelf)).toEqual([`${saved[0]?.id}.whole`]);
	const status = JSON.parse(await repldock(["status", "--json", "--data", data])) as {
		services: { name: string; pid: number }[];
	};
	process.kill(status.services.find(({ name }) => name === "agent")?.pid ?? 0, "SIGKILL");
	await eventually("the agent", () => content(saved[1]).catch(() => null));
	expect(await readdir(shelf)).toEqual([`${saved[1]?.id}.whole`]);
	expect([await content(saved[1]), await content(saved[2])]).toEqual(["two", "three"]);
	await ask(workspace, "POST", `/${saved[0]?.id}/restore`, { path: "a.txt" });
	expect(await workspace.read("a.txt")).toBe("one");
	const names = (await list(project.id, "?named=1")).versions.map(({ name }) => name);
	expect(names).toEqual(["three", "two", "one"]);
});

test("what a running program wrote up to a restore is in the version before it, what it writes afterwards in the files", async () => {
	const { workspace } = await openProject("python");
	await workspace.write("writer.py", writeNumbers);
	await workspace.write(".replit", 'run = "python3 writer.py"\n');
	await workspace.write("numbers.txt", "");
	const saved = await ask<Version>(workspace, "POST", "", { name: "Before all numbers" });
	const console = await workspace.attach("console");
	onTestFinished(() => console.close());
	await workspace.run();
	const said = () => Number(/kept (\d+)\s+$/.exec(console.text)?.[1] ?? 0);
	await eventually("some numbers", () => said() > 50);
	const undos: Version[] = [];
	for (let round = 0; round < 3; round += 1) {
		const { undo } = await ask<VersionRestored>(workspace, "POST", `/${saved.id}/restore`, {});
		undos.push(undo);
		const since = said();
		await eventually("more numbers", () => said() > since + 50);
	}
	await workspace.stop();
	const texts = await Promise.all(
		undos.map(async ({ id }) => (await workspace.request("GET", `/versions/${id}/content?path=numbers.txt`)).text()),
	);
	texts.push(await workspace.read("numbers.txt"));
	const there = new Set(texts.flatMap((text) => text.split("\n")));
	const kept = [...console.text.matchAll(/kept (\d+)/g)].map(([, number]) => number as string);
	expect(kept.length).toBeGreaterThan(200);
	expect(kept.filter((number) => !there.has(number))).toEqual([]);
});

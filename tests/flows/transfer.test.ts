import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExportReady, ImportDone } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { expect, onTestFinished, test } from "vitest";
import { replitExport } from "../support/replit-export.ts";
import { removeToolchainImage } from "../support/toolchain-image.ts";
import { visit } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject, site } from "../support/world.ts";

async function scratch(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "repldock-transfer-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	return folder;
}

async function bring(workspace: WorkspaceClient, archive: Uint8Array<ArrayBuffer>, query: string): Promise<ImportDone> {
	return (await (await workspace.request("POST", `/import?${query}`, archive)).json()) as ImportDone;
}

async function exported(workspace: WorkspaceClient, format: "zip" | "tar.zst"): Promise<Uint8Array<ArrayBuffer>> {
	const answer = await workspace.request("POST", "/export", JSON.stringify({ format }));
	const archive = await fetch(workspace.gatewayUrl + ((await answer.json()) as ExportReady).path);
	return new Uint8Array(await archive.arrayBuffer());
}

const runs = (workspace: WorkspaceClient) => workspace.runToEnd().then(({ output }) => output);

test("a project that is exported while it runs and imported into a new one runs there as it did", async () => {
	const { workspace } = await openProject("bash");
	await workspace.write(".replit", 'run = "sh src/start.sh"\n');
	await workspace.write("src/start.sh", "echo sailing from $REPL_SLUG; touch made-by-it\n");
	expect(await runs(workspace)).toContain("sailing from");
	const archive = await exported(workspace, "zip");
	const { project, workspace: other } = await openProject("python");
	expect(await bring(other, archive, "into=project")).toMatchObject({ path: "" });
	expect(await runs(other)).toContain(`sailing from ${project.slug}`);
	const names = (await other.list()).entries.map(({ name }) => name);
	expect(names).toEqual(expect.arrayContaining(["src", ".replit", "made-by-it"]));
	expect(names).not.toContain("main.py");
});

test("a project that is exported from Replit runs unchanged: its workflow, its port, and without what only Replit's machines need", async () => {
	const { project, workspace } = await openProject("bash", { visibility: "public" });
	await bring(workspace, await replitExport(), "into=project");
	const names = (await workspace.list()).entries.map(({ name }) => name).sort();
	expect(names).toEqual([".config", ".local", ".replit", "main.py", "pyproject.toml", "replit.nix"]);
	const { warnings } = await workspace.run();
	expect(warnings).toEqual([]);
	await eventually("the port", () => workspace.state.ports.some(({ port, main }) => port === 5000 && main), 60_000);
	const answer = await eventually("the page", async () => {
		const answered = await visit(project.url);
		return answered.status === 200 && answered;
	});
	expect(answer.body).toBe(`moved to ${project.slug}`);
	expect((await workspace.currentState()).entrypoint).toBe("main.py");
});

test("git commits and clones inside, its folder is kept like all else, and a bundle comes in with its history", async () => {
	const { workspace } = await openProject("bash");
	const script = [
		"set -e",
		"git init --quiet -b main . && git config user.email a@example.org && git config user.name Ada",
		"echo one > one.txt && git add one.txt && git commit --quiet -m 'Add one'",
		"git bundle create --quiet all.bundle main HEAD && git clone --quiet all.bundle copy",
		"git -C copy log --format='cloned: %s'",
	].join("\n");
	await workspace.write("git.sh", script);
	await workspace.write(".replit", 'run = "bash git.sh"\n');
	expect(await runs(workspace)).toContain("cloned: Add one");
	const archive = await exported(workspace, "tar.zst");
	const folder = await scratch();
	await writeFile(join(folder, "a.tar.zst"), archive);
	await runCommand("tar", ["--zstd", "-xf", join(folder, "a.tar.zst"), "-C", folder, "--no-same-owner"]);
	expect(await runCommand("git", ["-c", "safe.directory=*", "-C", folder, "log", "--format=%s"])).toBe("Add one\n");
	const bundle = new Uint8Array(await readFile(join(folder, "all.bundle")));
	const { workspace: other } = await openProject("python");
	expect(await bring(other, bundle, "into=project")).toEqual({ path: "", entries: null });
	expect(await other.read("one.txt")).toBe("one\n");
	await other.write("log.sh", "git --no-pager log --format='imported: %s'; git remote | wc -l\n");
	expect((await other.runToEnd({ file: "log.sh" })).output).toMatch(/imported: Add one\s+0/);
});

test("a repository is cloned by the project's own container, and one that cannot be leaves the project as it was", async () => {
	const { workspace } = await openProject("bash");
	const serve = `set -e
git init --quiet -b main origin && cd origin && git config user.email a@example.org && git config user.name Ada
echo hello > hello.txt && git add . && git commit --quiet -m first && git update-server-info && cd ..
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
git config --file .gitconfig http.sslVerify false
exec python3 -c '
import http.server, ssl
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()'
`;
	await workspace.write("serve.sh", serve);
	await workspace.write(".replit", 'run = "bash serve.sh"\n');
	await workspace.run();
	await eventually("the repository's server", () => workspace.state.ports.some(({ port }) => port === 8443), 60_000);
	const clone = async (url: string): Promise<ImportDone> => {
		const target = { into: "folder", folder: "", name: "cloned" };
		const body = JSON.stringify({ url, history: "full", target });
		return (await (await workspace.request("POST", "/import/git", body)).json()) as ImportDone;
	};
	expect(await clone("https://localhost:8443/origin/.git")).toEqual({ path: "cloned", entries: null });
	expect(await workspace.read("cloned/hello.txt")).toBe("hello\n");
	await expect(clone("https://localhost:8443/missing/.git")).rejects.toMatchObject({
		code: "invalid_input",
		message: expect.stringMatching(/git could not clone it: .*not found/) as string,
	});
	expect((await workspace.list()).entries.filter(({ name }) => /^cloned|^\.repldock/.test(name))).toHaveLength(1);
}, 150_000);

test("without its image no container starts, and files are still read, changed and exported", async () => {
	const project = await site().createProject("bash");
	const bringBack = await removeToolchainImage();
	try {
		const workspace = await (await WorkspaceClient.open(site(), project.id)).connect();
		onTestFinished(() => workspace.close());
		await eventually("the failed start", () => workspace.state.container === "failed");
		expect(workspace.state.problem?.code).toBe("container_failed");
		await workspace.write("rescued.txt", "here");
		expect(await workspace.read("rescued.txt")).toBe("here");
		const folder = await scratch();
		await writeFile(join(folder, "a.zip"), await exported(workspace, "zip"));
		expect(await runCommand("unzip", ["-p", join(folder, "a.zip"), "rescued.txt"])).toBe("here");
	} finally {
		await bringBack();
		await site().stop(project.id);
	}
});

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Version, VersionList } from "@repldock/protocol";
import { expect, onTestFinished, test } from "vitest";
import { freePort, repldock, startInstanceIn, startTestInstance, stopTestInstance } from "../support/instance.ts";
import { startObjectServer } from "../support/object-server.ts";
import { SiteClient } from "../support/site-client.ts";
import { eventually } from "../support/wait.ts";
import { WorkspaceClient } from "../support/workspace-client.ts";

const person = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };

test("an instance that keeps its projects in S3 is backed up to S3 while it runs, and comes back in an empty directory with accounts, files and versions", async () => {
	const server = await startObjectServer();
	onTestFinished(() => server.close());
	const folder = await mkdtemp(join(tmpdir(), "repldock-backup-"));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	const secretFile = join(folder, "s3-secret");
	await writeFile(secretFile, `${server.credentials.secretAccessKey}\n`, { mode: 0o600 });
	const s3 = {
		REPLDOCK_S3_ENDPOINT: server.url,
		REPLDOCK_S3_REGION: server.credentials.region,
		REPLDOCK_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
		REPLDOCK_S3_SECRET_ACCESS_KEY_FILE: secretFile,
	};
	const own = (prefix: string) => ({ ...s3, REPLDOCK_OBJECTS: `s3://${server.bucket}/${prefix}` });
	const backups = `s3://${server.bucket}/backups-of-all`;

	const first = await startTestInstance(own("first"));
	let isFirstThere = true;
	onTestFinished(() => (isFirstThere ? stopTestInstance(first) : undefined), 120_000);
	const before = await SiteClient.welcome(first, person);
	const project = await before.createProject("bash", { name: "Thesis" });
	const workspace = await (await WorkspaceClient.open(before, project.id)).connect();
	await workspace.write("notes.txt", "first draft");
	const sent = JSON.stringify({ name: "First draft" });
	const saved = (await (await workspace.request("POST", "/versions", sent, "application/json")).json()) as Version;
	await workspace.write("notes.txt", "second draft");
	const savedAtMs = Date.now();
	await eventually("durable", () => Date.parse(workspace.state.durability.upTo ?? "") >= savedAtMs);
	const list = (site: SiteClient) => site.call<VersionList>("GET", `/projects/${project.id}/versions`);
	await eventually("the site to know it", async () => {
		const { versions } = await list(before);
		return versions[0]?.id !== saved.id && versions.some(({ id }) => id === saved.id);
	});
	await repldock(["backup", "--to", backups, "--data", first.data], own("first"));
	workspace.close();
	await stopTestInstance(first);
	isFirstThere = false;
	for (const key of server.state.objects.keys()) if (key.startsWith("first/")) server.state.objects.delete(key);

	const data = await mkdtemp("/var/tmp/repldock-test-");
	await chmod(data, 0o711);
	await repldock(["restore", "--from", backups, "--data", data], own("second"));
	const second = await startInstanceIn(data, await freePort(), own("second"));
	onTestFinished(() => stopTestInstance(second), 120_000);
	const after = await SiteClient.signIn(second.siteUrl, person);
	expect(await after.project(project.id)).toMatchObject({ name: "Thesis", visibility: "private" });
	const again = await eventually("the project", () => WorkspaceClient.open(after, project.id).catch(() => null));
	expect(await again.read("notes.txt")).toBe("second draft");
	const found = (await list(after)).versions.find(({ id }) => id === saved.id);
	expect(found?.name).toBe("First draft");
	expect(await (await again.request("GET", `/versions/${saved.id}/content?path=notes.txt`)).text()).toBe("first draft");
	const { output } = await (await again.connect()).runToEnd();
	expect(output).not.toBe("");
	again.close();
}, 600_000);

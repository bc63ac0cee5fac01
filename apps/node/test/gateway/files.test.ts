import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { renameSync, symlinkSync, unlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GatewayRig, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
const at = (path: string) => join(rig.root, path);
const content = (path: string, more = "") => `/files/content?path=${encodeURIComponent(path)}${more}`;

beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

test.each(["plain.txt", "with space", "emoji 🦊", "line\nbreak", "-rf", "percent%2F", "quote\"'\\"])(
	"a file named %j is written, listed, read, moved and removed",
	async (name) => {
		expect((await rig.project("PUT", content(name), "hello")).json()).toMatchObject({ name, kind: "file", size: 5 });
		const listing = (await rig.project("GET", "/files?path=")).json();
		expect(listing).toMatchObject({ entries: [{ name, kind: "file" }], truncated: false });
		const read = await rig.project("GET", content(name));
		expect(read.body.toString()).toBe("hello");
		expect((await rig.project("POST", "/files/directory", { path: "d" })).status).toBe(200);
		expect((await rig.project("POST", "/files/move", { from: name, to: `d/${name}` })).status).toBe(200);
		expect((await rig.project("DELETE", `/files?path=${encodeURIComponent(`d/${name}`)}`)).status).toBe(204);
		expect(await readdir(at("d"))).toEqual([]);
	},
);

test.each(["../outside", "a/../../b", "/etc/passwd", "a//b", "./a", "a\0b"])("the path %j is refused", async (path) => {
	expect((await rig.project("PUT", content(path), "x")).status).toBe(400);
	expect((await rig.project("GET", content(path))).status).toBe(400);
	expect((await rig.project("DELETE", `/files?path=${encodeURIComponent(path)}`)).status).toBe(400);
});

test("links that lead out, and their swaps, give nothing away and take nothing in", async () => {
	const outside = await mkdtemp(join(tmpdir(), "repldock-outside-"));
	await writeFile(join(outside, "secret"), "secret");
	await symlink(outside, at("away"));
	await symlink("/proc/self/root/etc/passwd", at("magic"));
	for (const path of ["away/secret", "magic"]) expect((await rig.project("GET", content(path))).status).toBe(400);
	expect((await rig.project("PUT", content("away/new"), "x")).status).toBe(400);
	expect((await rig.project("DELETE", "/files?path=away/secret")).status).toBe(400);
	await mkdir(at("swapped"));
	await writeFile(at("swapped/secret"), "mine");
	let swapping = true;
	const swap = (async () => {
		while (swapping) {
			renameSync(at("swapped"), at("real"));
			symlinkSync(outside, at("swapped"));
			await nextTurn();
			unlinkSync(at("swapped"));
			renameSync(at("real"), at("swapped"));
			await nextTurn();
		}
	})();
	for (let round = 0; round < 60; round += 1) {
		const read = await rig.project("GET", content("swapped/secret"));
		if (read.status === 200) expect(read.body.toString()).toBe("mine");
		await rig.project("PUT", content("swapped/planted"), "x");
	}
	swapping = false;
	await swap;
	expect(await readdir(outside)).toEqual(["secret"]);
	expect(await readFile(join(outside, "secret"), "utf8")).toBe("secret");
	await rm(outside, { recursive: true });
});

test("a FIFO or device is refused and blocks nothing", async () => {
	execFileSync("mkfifo", [at("pipe")]);
	expect((await rig.project("GET", content("pipe"))).status).toBe(400);
	expect((await rig.project("PUT", content("pipe"), "x")).status).toBeGreaterThanOrEqual(200);
	expect((await rig.project("GET", "/files?path=")).status).toBe(200);
});

test("what a user stored never runs on the gateway's origin", async () => {
	for (const name of ["page.html", "script.js", "style.css", "picture.svg", "page.xhtml"]) {
		await writeFile(at(name), "<script>alert(1)</script>");
		const { headers } = await rig.project("GET", content(name));
		expect(headers["content-security-policy"]).toMatch(/^sandbox;/);
		expect(headers["x-content-type-options"]).toBe("nosniff");
		expect(headers["content-type"]).not.toMatch(/html|javascript|css/);
		if (!name.endsWith(".svg")) expect(headers["content-disposition"]).toMatch(/^attachment/);
	}
	await writeFile(at('a"\r\nX: y 🦊.txt'), "x");
	const { headers } = await rig.project("GET", content('a"\r\nX: y 🦊.txt', "&download=1"));
	expect(headers["content-disposition"]).toBe(
		`attachment; filename="a___X: y __.txt"; filename*=UTF-8''a%22%0D%0AX%3A%20y%20%F0%9F%A6%8A.txt`,
	);
});

test("ranges are honoured", async () => {
	await writeFile(at("a.txt"), "0123456789");
	const range = async (value: string, more = {}) =>
		rig.project("GET", content("a.txt"), undefined, { range: value, ...more });
	const middle = await range("bytes=2-4");
	expect([middle.status, middle.body.toString(), middle.headers["content-range"]]).toEqual([
		206,
		"234",
		"bytes 2-4/10",
	]);
	expect((await range("bytes=-3")).body.toString()).toBe("789");
	expect((await range("bytes=7-")).body.toString()).toBe("789");
	const past = await range("bytes=20-");
	expect([past.status, past.headers["content-range"]]).toEqual([416, "bytes */10"]);
	expect((await range("bytes=2-4", { "if-range": '"old"' })).body.toString()).toBe("0123456789");
	const head = await rig.project("HEAD", content("a.txt"));
	expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "10", 0]);
});

test("an upload streams to disk, may refuse to overwrite, and is stopped over the quota", async () => {
	const token = await rig.enter();
	const put = (path: string, body: Readable) => rig.ask("PUT", `/projects/${rig.projectId}${path}`, { token, body });
	const chunks = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(64 * 1024, 120)));
	expect((await put(content("big/deep.bin"), chunks(40))).json()).toMatchObject({ size: 40 * 64 * 1024 });
	const second = await put(content("big/deep.bin", "&overwrite=0"), chunks(1));
	expect([second.status, second.json()]).toMatchObject([409, { code: "already_exists" }]);
	const tooMuch = await put(content("huge.bin"), chunks(200));
	expect(tooMuch.status).toBeGreaterThanOrEqual(413);
	expect(await readdir(rig.root)).toEqual(["big"]);
});

test.each([
	["too large for its project", content("huge.bin"), 413],
	["at an address that is none", "/nowhere", 404],
	["that is no JSON", "/files/move", 400],
])("all of an upload %s is taken before its sender looks at the answer", async (_what, path, status) => {
	// So does the edge: it sends what it has, and meets a closed connection if nobody takes it.
	const sent = 100_000_000;
	const token = await rig.enter();
	const edge = rig.connect();
	edge.pause();
	edge.write(
		`${path === "/files/move" ? "POST" : "PUT"} /projects/${rig.projectId}${path} HTTP/1.1\r\nHost: node\r\n` +
			`Authorization: Bearer ${token}\r\nContent-Length: ${sent}\r\n\r\n`,
	);
	for (let left = sent; left > 0; left -= 500_000) {
		await new Promise<void>((resolve, reject) =>
			edge.write(Buffer.alloc(500_000, 120), (error) => (error ? reject(error) : resolve())),
		);
	}
	const answer = once(edge, "data");
	edge.resume();
	expect(String((await answer)[0])).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
	edge.write("GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n");
	expect(String((await once(edge, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
	edge.destroy();
});

test("an upload that breaks off leaves nothing behind", async () => {
	const token = await rig.enter();
	const broken = new Readable({ read() {} });
	broken.push(Buffer.alloc(1024));
	const asked = rig.ask("PUT", `/projects/${rig.projectId}${content("half.bin")}`, { token, body: broken });
	const failed = expect(asked).rejects.toThrow();
	expect((await rig.ask("GET", "/healthz")).status).toBe(200);
	broken.destroy();
	await failed;
	expect((await rig.project("GET", "/files?path=")).json()).toMatchObject({ entries: [] });
	expect(await readdir(rig.root)).toEqual([]);
});

test("missing files and folders are told apart from refused ones", async () => {
	expect((await rig.project("GET", content("missing"))).json()).toMatchObject({ code: "file_not_found", status: 404 });
	expect((await rig.project("DELETE", "/files?path=")).status).toBe(400);
	expect((await rig.project("GET", "/nowhere")).json()).toMatchObject({ code: "not_found" });
});

import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { readConfig } from "@repldock/service";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { startObjectServer } from "../../../tests/support/object-server.ts";
import {
	copyObject,
	countOperations,
	objectLocation,
	objectOptions,
	openFolderStore,
	openObjectStore,
	parseLocation,
	partBytes,
	r2Price,
	scrubObject,
} from "../src/index.ts";
import { bytesOf, keysOf, s3Store } from "./stores.ts";

let opened: Awaited<ReturnType<typeof s3Store>>;
beforeEach(async () => {
	opened = await s3Store("path", { pageKeys: 1000 });
});
afterEach(() => opened.close());

const expected = (key: string, body: string) => ({
	key,
	bytes: body.length,
	sha256: createHash("sha256").update(body).digest("hex"),
});

test("counts of operations are those that the store saw, for small and large objects", async () => {
	const { server } = opened;
	const store = countOperations(opened.store);
	await store.put("small", Buffer.from("12345"));
	await store.put("large", Readable.from([Buffer.alloc(2 * partBytes + 1)]));
	expect((await bytesOf(store.get("small"))).toString()).toBe("12345");
	await store.head("small");
	await keysOf(store, "");
	await keysOf(store, "absent");
	await store.remove(["small", "large"]);
	expect(store.counts).toEqual({
		puts: 1 + 5,
		gets: 2,
		lists: 2,
		deletes: 1,
		bytesPut: 5 + 2 * partBytes + 1,
		bytesGot: 5,
	});
	const seen = (test: (request: (typeof server.requests)[number]) => boolean) => server.requests.filter(test).length;
	expect(seen(({ method, query }) => method === "PUT" || (method === "POST" && query !== "delete="))).toBe(6);
	expect(seen(({ method, key }) => key !== "" && (method === "GET" || method === "HEAD"))).toBe(2);
	expect(seen(({ method, key }) => key === "" && method === "GET")).toBe(2);
	expect(seen(({ query }) => query === "delete=")).toBe(1);
});

test("the price is R2's: writing and listing, reading, and keeping; nothing for removing", () => {
	expect(r2Price({ puts: 600_000, gets: 0, lists: 400_000 }, 0).dollars).toBeCloseTo(4.5);
	expect(r2Price({ puts: 0, gets: 1_000_000, lists: 0 }, 0).dollars).toBeCloseTo(0.36);
	expect(r2Price({ puts: 0, gets: 0, lists: 0 }, 100e9)).toEqual({ classA: 0, classB: 0, storage: 1.5, dollars: 1.5 });
});

const part = (start: number, body: string) => ({ start, bytes: body.length, sha256: expected("", body).sha256 });

test("a scrub finds what is missing, damaged, too short or another one, by its parts, and passes what is well", async () => {
	const { store, server } = opened;
	for (const key of ["well", "damaged", "exchanged"]) await store.put(key, Buffer.from(key));
	server.damage("tests/here/damaged");
	const problems = async (key: string, ...parts: ReturnType<typeof part>[]) =>
		(await scrubObject(store, key, parts)).map(({ part, problem }) => `${part.start} ${problem}`);
	expect(await problems("well", part(0, "we"), part(2, "l"))).toEqual([]);
	expect(await problems("damaged", part(0, "damaged"))).toEqual(["0 damaged"]);
	expect(await problems("missing", part(0, "m"), part(1, "i"))).toEqual(["0 missing", "1 missing"]);
	expect(await problems("exchanged", part(0, "ex"), part(2, "CH"), part(7, "edX"))).toEqual(["2 damaged", "7 damaged"]);
});

test("a scrub of a store that cannot be asked is an outage, not a finding", async () => {
	opened.server.fail({ status: 403, code: "AccessDenied" });
	await expect(scrubObject(opened.store, "key", [part(0, "x")])).rejects.toMatchObject({ code: "refused" });
});

test("a scrub reads no faster than it is allowed", async () => {
	const body = "x".repeat(200_000);
	await opened.store.put("key", Buffer.from(body));
	const startedAtMs = performance.now();
	expect(await scrubObject(opened.store, "key", [part(0, body)], { bytesPerSecond: 1_000_000 })).toEqual([]);
	// A lower bound alone: a slow machine may take longer. Timers may fire a millisecond early.
	expect(performance.now() - startedAtMs).toBeGreaterThan(190);
});

test("a copy of other bytes than expected is not kept", async () => {
	const folder = await mkdtemp(join(tmpdir(), "repldock-copy-"));
	onTestFinished(() => rm(folder, { recursive: true }));
	const to = await openFolderStore(folder);
	await opened.store.put("key", Buffer.from("bytes"));
	await expect(
		copyObject(opened.store, to, { from: "key", to: "copy" }, expected("key", "other")),
	).rejects.toMatchObject({ code: "corrupt" });
	expect(await keysOf(to, "")).toEqual([]);
	await copyObject(opened.store, to, { from: "key", to: "copy" }, expected("key", "bytes"));
	expect((await bytesOf(to.get("copy"))).toString()).toBe("bytes");
});

test("a location is a folder or a path in a bucket, and nothing else", () => {
	expect(parseLocation("folder:/var/objects")).toEqual({ kind: "folder", path: "/var/objects" });
	expect(parseLocation("s3://bucket")).toEqual({ kind: "s3", bucket: "bucket", prefix: "" });
	expect(parseLocation("s3://my-bucket.x/a/b/")).toEqual({ kind: "s3", bucket: "my-bucket.x", prefix: "a/b" });
	for (const text of ["folder:relative", "/path", "s3://", "s3://B", "s3://bucket/../x", "s3://b/x", "http://x/y"]) {
		expect(() => parseLocation(text)).toThrow(/neither/);
	}
	expect(objectLocation(readConfig(objectOptions, {}), "/data")).toEqual({ kind: "folder", path: "/data/objects" });
});

test("the options open a bucket, with secrets from files, and say what is missing without showing any", async () => {
	const server = await startObjectServer({ sessionToken: "the session" });
	const directory = await mkdtemp(join(tmpdir(), "repldock-secrets-"));
	onTestFinished(async () => {
		await server.close();
		await rm(directory, { recursive: true });
	});
	await writeFile(join(directory, "secret"), `${server.credentials.secretAccessKey}\n`);
	await writeFile(join(directory, "session"), "the session\n");
	const environment = {
		REPLDOCK_OBJECTS: `s3://${server.bucket}/here`,
		REPLDOCK_S3_ENDPOINT: server.url,
		REPLDOCK_S3_REGION: server.credentials.region,
		REPLDOCK_S3_ACCESS_KEY_ID: server.credentials.accessKeyId,
		REPLDOCK_S3_SECRET_ACCESS_KEY_FILE: join(directory, "secret"),
		REPLDOCK_S3_SESSION_TOKEN_FILE: join(directory, "session"),
	};
	const open = (environment: Record<string, string>) => {
		const config = readConfig(objectOptions, environment);
		return openObjectStore(objectLocation(config, "/nowhere"), config);
	};
	const store = await open(environment);
	await store.put("key", Buffer.from("x"));
	expect([...server.state.objects.keys()]).toEqual(["here/key"]);
	expect(store.description).toBe(`s3://${server.bucket}/here/`);

	// All three in files: temporary credentials change their access key too.
	const { REPLDOCK_S3_ACCESS_KEY_ID: _without, ...rest } = environment;
	await writeFile(join(directory, "id"), `${server.credentials.accessKeyId}\n`);
	const replaceable = await open({ ...rest, REPLDOCK_S3_ACCESS_KEY_ID_FILE: join(directory, "id") });
	await replaceable.put("key", Buffer.from("y"));
	server.rotate({ accessKeyId: "AKIDNEW", secretAccessKey: "new", sessionToken: "the next" });
	await writeFile(join(directory, "id"), "AKIDNEW\n");
	await writeFile(join(directory, "secret"), "new\n");
	await writeFile(join(directory, "session"), "the next\n");
	expect((await bytesOf(replaceable.get("key"))).toString()).toBe("y");

	await expect(open(rest)).rejects.toThrow(/REPLDOCK_S3_ACCESS_KEY_ID/);
	await expect(open({ ...environment, REPLDOCK_S3_SECRET_ACCESS_KEY_FILE: join(directory, "absent") })).rejects.toThrow(
		/cannot be read/,
	);
});

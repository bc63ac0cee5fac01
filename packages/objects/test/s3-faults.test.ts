import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ObjectServer, startObjectServer } from "../../../tests/support/object-server.ts";
import { type ObjectStore, partBytes, type S3Credentials, type S3Times } from "../src/index.ts";
import { bytesOf, keysOf, lengthOf, openS3 } from "./stores.ts";

/** Gives up soon: for faults that do not pass. */
const impatient: Partial<S3Times> = { answerTimeoutMs: 200, stallTimeoutMs: 200, retryBudgetMs: 50 };

let server: ObjectServer;
let store: ObjectStore;
beforeEach(async () => {
	server = await startObjectServer({ pageKeys: 3 });
	store = openS3(server, "path");
});
afterEach(() => server.close());

const body = Buffer.from("something worth keeping, of some length");

/** Every call of a store that speaks to the bucket. */
const calls: Record<string, (store: ObjectStore) => Promise<unknown>> = {
	put: (store) => store.put("key", body),
	get: async (store) => (await bytesOf(store.get("key"))).toString(),
	head: (store) => store.head("key"),
	list: (store) => keysOf(store, ""),
	remove: (store) => store.remove(["other"]),
	reclaim: (store) => store.reclaim(0),
	now: async (store) => (await store.now()).getTime() > 0,
};

for (const [name, call] of Object.entries(calls)) {
	for (const [status, code] of [
		[500, "InternalError"],
		[503, "ServiceUnavailable"],
		[503, "SlowDown"],
	] as const) {
		test(`${name} goes on when the store recovers from ${status} ${code}`, async () => {
			await store.put("key", body);
			const expected = await call(store);
			server.fail({ status, code }, { times: 3 });
			expect(await call(store)).toEqual(expected);
		});
	}

	test(`${name} says unavailable of a store that keeps failing, and works once it recovered`, async () => {
		await store.put("key", body);
		const expected = await call(store);
		const hasty = openS3(server, "path", { times: impatient });
		server.fail({ status: 503, code: "SlowDown" });
		await expect(call(hasty)).rejects.toMatchObject({ code: "unavailable" });
		server.recover();
		expect(await call(store)).toEqual(expected);
	});

	test(`${name} says refused of a store that forbids it, and asks once`, async () => {
		server.fail({ status: 403, code: "AccessDenied" });
		await expect(call(store)).rejects.toMatchObject({ code: "refused" });
		expect(server.requests).toHaveLength(1);
	});

	test(`${name} gives up a store that hangs, and a store that cannot be reached`, async () => {
		await store.put("key", body);
		const hasty = openS3(server, "path", { times: impatient });
		server.fail("hang");
		await expect(call(hasty)).rejects.toMatchObject({ code: "unavailable" });
		await server.close();
		await expect(call(hasty)).rejects.toMatchObject({ code: "unavailable" });
		// For the hook that closes one after each test.
		server = await startObjectServer();
	});
}

test("a bucket that does not exist is refused, and never looks like one without objects", async () => {
	const elsewhere = openS3({ ...server, bucket: "another" }, "path");
	for (const call of Object.values(calls)) await expect(call(elsewhere)).rejects.toMatchObject({ code: "refused" });
});

test("a wrong secret, a wrong session and a wrong region are refused", async () => {
	const wrong = [
		{ secretAccessKey: "wrong" },
		{ accessKeyId: "WRONG" },
		{ sessionToken: "stolen" },
		{ region: "elsewhere" },
	];
	for (const change of wrong) {
		const other = openS3({ ...server, credentials: { ...server.credentials, ...change } }, "path");
		await expect(other.head("key")).rejects.toMatchObject({ code: "refused" });
		await expect(other.put("key", body)).rejects.toMatchObject({ code: "refused" });
	}
	expect(server.state.objects.size).toBe(0);
});

/** What an operator has put in place of the credentials that the store was opened with. */
const replaced = { accessKeyId: "AKIDNEW", secretAccessKey: "another secret", sessionToken: "second" };

/** A store whose credentials are read again from wherever the test says, and how often they were. */
function openReplaceable(read: () => Promise<S3Credentials>, rereadAfterMs = 60_000) {
	const reads = { count: 0 };
	const readCredentials = () => {
		reads.count += 1;
		return read();
	};
	return { store: openS3(server, "path", { times: { rereadAfterMs }, readCredentials }), reads };
}

for (const [name, call] of Object.entries(calls)) {
	test(`${name} goes on with the credentials that took the place of expired ones`, async () => {
		server.rotate({ sessionToken: "first" });
		const { store, reads } = openReplaceable(async () => replaced);
		await store.put("key", body);
		const expected = await call(store);
		server.rotate(replaced);
		expect(await call(store)).toEqual(expected);
		expect(reads.count).toBe(1);
	});
}

test("requests side by side read replaced credentials once, and a large put goes on in the middle", async () => {
	server.rotate({ sessionToken: "first" });
	const { store, reads } = openReplaceable(async () => replaced);
	async function* large() {
		yield randomBytes(partBytes);
		server.rotate(replaced);
		yield randomBytes(100);
	}
	await store.put("large", Readable.from(large()));
	expect(await lengthOf(store.get("large"))).toBe(partBytes + 100);
	expect(reads.count).toBe(1);
	server.rotate({ sessionToken: "third" });
	const before = server.requests.length;
	const { store: other, reads: readsOfOther } = openReplaceable(async () => {
		// All are refused before there is an answer to any.
		await expect.poll(() => server.requests.slice(before).filter(({ status }) => status === 400).length).toBe(8);
		return server.credentials;
	});
	server.rotate({ sessionToken: "fourth" });
	await Promise.all(Array.from({ length: 8 }, (_, index) => other.put(`key/${index}`, body)));
	expect(readsOfOther.count).toBe(1);
});

test("a store that refuses credentials which nobody has replaced is told so, and they are read now and then alone", async () => {
	const { store, reads } = openReplaceable(async () => server.credentials);
	server.fail({ status: 403, code: "AccessDenied" });
	for (let index = 0; index < 5; index += 1) {
		await expect(store.put("key", body)).rejects.toMatchObject({ code: "refused" });
	}
	expect([reads.count, server.requests.length]).toEqual([1, 5]);
	const { store: often, reads: readsOfOften } = openReplaceable(async () => server.credentials, 0);
	await expect(often.put("key", body)).rejects.toMatchObject({ code: "refused" });
	server.recover();
	server.rotate(replaced);
	await often.put("key", body);
	expect(readsOfOften.count).toBe(2);
	expect(await bytesOf(often.get("key"))).toEqual(body);
});

test("credentials that cannot be read in this moment are an error of the store, and are read the next time", async () => {
	let isThere = false;
	const { store } = openReplaceable(async () => {
		if (!isThere) throw new Error("/run/secret cannot be read.");
		return server.credentials;
	}, 0);
	server.rotate(replaced);
	const failed: unknown = await store.put("key", body).catch((error: unknown) => error);
	expect(failed).toMatchObject({ code: "refused", message: expect.stringContaining("/run/secret cannot be read") });
	isThere = true;
	await store.put("key", body);
});

test("no error and no description names a secret", async () => {
	const other = openS3({ ...server, credentials: { ...server.credentials, sessionToken: "stolen-session" } }, "path");
	const error: unknown = await other.put("key", body).catch((error: unknown) => error);
	const told = `${JSON.stringify(error)} ${String(error)} ${other.description}`;
	expect(told).not.toContain(server.credentials.secretAccessKey);
	expect(told).not.toContain("stolen-session");
});

test("a clock that is wrong by hours is corrected by the store's", async () => {
	server.setClock(5 * 3_600_000);
	await store.put("key", body);
	server.setClock(-7 * 3_600_000);
	expect(await bytesOf(store.get("key"))).toEqual(body);
});

test("a get that is cut is continued where it ended", async () => {
	const large = randomBytes(1_000_000);
	await store.put("key", large);
	server.fail("cut", { times: 4, when: ({ method }) => method === "GET" });
	expect((await bytesOf(store.get("key"))).equals(large)).toBe(true);
	const range = { start: 100_000, end: 900_000 };
	server.fail("cut", { times: 4, when: ({ method }) => method === "GET" });
	expect((await bytesOf(store.get("key", { range }))).equals(large.subarray(range.start, range.end))).toBe(true);
});

test("a get that is cut is not continued with another version of the object", async () => {
	const old = randomBytes(1_000_000);
	await store.put("key", old);
	server.fail("cut", { times: 1, when: ({ method }) => method === "GET" });
	const reading = await store.get("key");
	// Before anybody reads on: the first half is all that comes of the old version.
	await store.put("key", randomBytes(1_000_000));
	await expect(lengthOf(reading)).rejects.toMatchObject({ code: "unavailable" });
});

for (const fault of ["stall", "trickle"] as const) {
	test(`a get of a store that goes to a ${fault} in the middle ends with unavailable, or goes on`, async () => {
		await store.put("key", randomBytes(300_000));
		const hasty = openS3(server, "path", { times: { ...impatient, retryBudgetMs: 1 } });
		server.fail(fault);
		await expect(lengthOf(hasty.get("key"))).rejects.toMatchObject({ code: "unavailable" });
		const patient = openS3(server, "path", { times: { ...impatient, retryBudgetMs: 60_000 } });
		server.fail(fault, { times: 1 });
		expect(await lengthOf(patient.get("key"))).toBe(300_000);
	});
}

test("a store that trickles in the middle of each answer is given up, however often it is asked; a slow reader is not", async () => {
	const large = randomBytes(300_000);
	await store.put("key", large);
	const given = openS3(server, "path", { times: { ...impatient, retryBudgetMs: 1_000 } });
	server.fail("trickle");
	await expect(lengthOf(given.get("key"))).rejects.toMatchObject({ code: "unavailable" });
	server.fail("cut", { times: 2, when: ({ method }) => method === "GET" });
	let bytes = 0;
	for await (const chunk of await given.get("key")) {
		if (bytes === 0) await delay(1_500);
		bytes += chunk.length;
	}
	expect(bytes).toBe(large.length);
});

for (const fault of ["corrupt", "shorten", "lie"] as const) {
	test(`a store that would ${fault} what it holds is found out: small, large from bytes, large from a stream`, async () => {
		const large = randomBytes(partBytes + 100);
		await store.put("small", body);
		await store.put("large", large);
		await store.put("stream", Readable.from([large]));
		server.fail(fault, { when: ({ method }) => method === "GET" });
		for (const key of ["small", "large", "stream"]) {
			await expect(lengthOf(store.get(key))).rejects.toMatchObject({ code: "corrupt" });
		}
		server.recover();
		for (const key of ["small", "large", "stream"]) await bytesOf(store.get(key));
	});
}

test("bytes that change at the store are found by the next whole read", async () => {
	await store.put("key", body);
	server.damage("tests/here/key");
	await expect(lengthOf(store.get("key"))).rejects.toMatchObject({ code: "corrupt" });
});

for (const fault of ["keep_other_bytes", "keep_half", "lie"] as const) {
	test(`a put says corrupt when the store's sum is another one (${fault})`, async () => {
		server.fail(fault, { when: ({ method }) => method === "PUT" });
		await expect(store.put("key", body)).rejects.toMatchObject({ code: "corrupt" });
		await expect(store.put("key", Readable.from([randomBytes(partBytes + 1)]))).rejects.toMatchObject({
			code: "corrupt",
		});
		expect(server.state.uploads.size).toBe(0);
	});
}

test("a large put says corrupt when the store joins the first half of its parts alone", async () => {
	const ends = ({ method, query }: { method: string; query: string }) =>
		method === "POST" && query.includes("uploadId");
	server.fail("keep_half", { when: ends });
	await expect(store.put("key", randomBytes(2 * partBytes))).rejects.toMatchObject({ code: "corrupt" });
	expect(server.state.uploads.size).toBe(0);
});

for (const fault of ["shorten", "cut"] as const) {
	test(`a list whose page is spoilt (${fault}) is asked for again and never shorter`, async () => {
		const keys = ["a", "b", "c", "d", "e", "f", "g"];
		for (const key of keys) await store.put(key, body);
		server.fail(fault, { times: 2, when: ({ method, key }) => method === "GET" && key === "" });
		expect(await keysOf(store, "")).toEqual(keys);
	});
}

test("a large put survives a loss of answers to every one of its requests", async () => {
	const large = randomBytes(2 * partBytes + 5);
	let requests = 0;
	// Every second request is carried out and its answer lost: the beginning, each part, and the end.
	server.fail("lose_answer", { when: () => requests++ % 2 === 0 });
	await store.put("key", Readable.from([large]));
	server.recover();
	expect((await bytesOf(store.get("key"))).equals(large)).toBe(true);
	// The lost beginning left an upload that nobody knows.
	expect(server.state.uploads.size).toBe(1);
	expect(await store.reclaim(3_600_000)).toBe(0);
	expect(await store.reclaim(0)).toBe(1);
	expect(server.state.uploads.size).toBe(0);
});

test("an upload that fails half way leaves nothing behind", async () => {
	const hasty = openS3(server, "path", { times: { retryBudgetMs: 50 } });
	let parts = 0;
	server.fail({ status: 500, code: "InternalError" }, { when: ({ method }) => method === "PUT" && ++parts > 1 });
	await expect(hasty.put("key", randomBytes(2 * partBytes))).rejects.toMatchObject({ code: "unavailable" });
	expect(server.state.uploads.size).toBe(0);
	expect(server.state.objects.size).toBe(0);
});

test("old uploads are ended page by page, and only below the store's own prefix", async () => {
	const other = openS3(server, "path", { prefix: "elsewhere" });
	const unfinished = async (store: ObjectStore, key: string) => {
		server.fail("lose_answer", { times: 1 });
		await store.put(key, Readable.from([randomBytes(partBytes + 1)]));
		server.recover();
	};
	for (let index = 0; index < 4; index += 1) await unfinished(store, `key/${index}`);
	await unfinished(other, "key");
	expect(await store.reclaim(0)).toBe(4);
	expect(server.state.uploads.size).toBe(1);
});

test("a put holds one part at a time, however long the stream is", async () => {
	let given = 0;
	let most = 0;
	async function* body() {
		for (let part = 0; part < 6; part += 1) {
			const stored = [...server.state.uploads.values()].reduce((sum, upload) => sum + upload.parts.size, 0);
			most = Math.max(most, given - stored);
			given += 1;
			yield Buffer.alloc(partBytes, part);
		}
	}
	await store.put("key", Readable.from(body(), { objectMode: true, highWaterMark: 1 }));
	expect(given).toBe(6);
	// One in the request, one waiting to be cut, one that the stream reads ahead.
	expect(most).toBeLessThanOrEqual(3);
});

import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { countOperations, isKey, type ObjectStore, partBytes } from "../src/index.ts";
import { bucketStore, bytesOf, folderStore, keysOf, listed, realBucket, s3Store, type TestStore } from "./stores.ts";

const stores: Record<string, () => Promise<TestStore>> = {
	"a folder": folderStore,
	"S3 by path": () => s3Store("path"),
	"S3 by host name, with a session token": () => s3Store("host", { sessionToken: "a session" }),
	"a counting wrapper": async () => {
		const inner = await folderStore();
		return { ...inner, store: countOperations(inner.store) };
	},
	...(realBucket ? { "a real bucket": bucketStore } : {}),
};

describe.each(Object.entries(stores))("%s", (_name, open) => {
	let opened: TestStore;
	let store: ObjectStore;

	beforeAll(async () => {
		opened = await open();
		store = opened.store;
	});
	afterAll(() => opened.close());
	beforeEach(async () => {
		await store.remove(await keysOf(store, ""));
	});

	test("gives back what was put, with its size and sum", async () => {
		const body = randomBytes(100_000);
		const sha256 = createHash("sha256").update(body).digest("hex");
		expect(await store.put("a/b", body)).toEqual({ bytes: body.length, sha256 });
		expect((await bytesOf(store.get("a/b"))).equals(body)).toBe(true);
		expect(await store.head("a/b")).toMatchObject({ key: "a/b", bytes: body.length });
	});

	test("takes an empty body, as bytes and as a stream", async () => {
		expect(await store.put("bytes", new Uint8Array())).toMatchObject({ bytes: 0 });
		expect(await store.put("stream", Readable.from([]))).toMatchObject({ bytes: 0 });
		expect(await bytesOf(store.get("bytes"))).toHaveLength(0);
		expect(await bytesOf(store.get("stream"))).toHaveLength(0);
	});

	test("takes a stream of more than two parts, and bytes of as many", async () => {
		const body = randomBytes(2 * partBytes + 12_345);
		const sha256 = createHash("sha256").update(body).digest("hex");
		const pieces = Array.from({ length: Math.ceil(body.length / 65_000) }, (_, index) =>
			body.subarray(index * 65_000, (index + 1) * 65_000),
		);
		expect(await store.put("stream", Readable.from(pieces))).toEqual({ bytes: body.length, sha256 });
		expect(await store.put("bytes", body)).toEqual({ bytes: body.length, sha256 });
		expect((await bytesOf(store.get("stream"))).equals(body)).toBe(true);
		expect((await bytesOf(store.get("bytes"))).equals(body)).toBe(true);
	});

	test("takes a stream of exactly two parts", async () => {
		const body = randomBytes(2 * partBytes);
		await store.put("exact", Readable.from([body.subarray(0, partBytes), body.subarray(partBytes)]));
		expect((await bytesOf(store.get("exact"))).equals(body)).toBe(true);
	});

	test("replaces an object", async () => {
		await store.put("key", Buffer.from("old and longer"));
		await store.put("key", Buffer.from("new"));
		expect((await bytesOf(store.get("key"))).toString()).toBe("new");
	});

	test("gives ranges, and nothing of what lies behind the end", async () => {
		await store.put("key", Buffer.from("0123456789"));
		const range = async (start: number, end: number) =>
			(await bytesOf(store.get("key", { range: { start, end } }))).toString();
		expect(await range(0, 4)).toBe("0123");
		expect(await range(4, 5)).toBe("4");
		expect(await range(8, 100)).toBe("89");
		expect(await range(10, 12)).toBe("");
		expect(await range(3, 3)).toBe("");
	});

	test("says not_found of what is absent, and null to head", async () => {
		await store.put("there/it/is", Buffer.from("x"));
		for (const key of ["absent", "there", "there/it", "there/it/is/not"]) {
			await expect(store.get(key)).rejects.toMatchObject({ code: "not_found" });
			await expect(store.get(key, { range: { start: 0, end: 0 } })).rejects.toMatchObject({ code: "not_found" });
			expect(await store.head(key)).toBeNull();
		}
	});

	test("removes many at once, and does not mind what is absent", async () => {
		const keys = Array.from({ length: 25 }, (_, index) => `many/${index}`);
		for (const key of keys) await store.put(key, Buffer.from(key));
		await store.remove([...keys.slice(1), "absent", "many/absent"]);
		expect(await keysOf(store, "")).toEqual(["many/0"]);
		await store.remove(keys);
		await store.remove([]);
		expect(await keysOf(store, "")).toEqual([]);
	});

	test("lists in byte order of keys, from any prefix and behind any key", async () => {
		const keys = ["a-b/x", "a/b", "a/b-c", "a/c/d", "a/c/e", "a0", "b", "b.c/d", "b0/c", "Z", "a/c.d", "a/cd"];
		for (const key of keys) await store.put(key, Buffer.from(key));
		const sorted = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
		expect(await keysOf(store, "")).toEqual(sorted);
		for (const prefix of ["a", "a/", "a/c", "a/c/", "b", "b.c/d", "z"]) {
			expect(await keysOf(store, prefix)).toEqual(sorted.filter((key) => key.startsWith(prefix)));
		}
		for (const after of ["", "A", "a", "a/", "a/c", "a/c/d", "a/c/zz", "b0/c", "z"]) {
			expect(await keysOf(store, "", after)).toEqual(sorted.filter((key) => key > after));
			expect(await keysOf(store, "a/c", after)).toEqual(sorted.filter((key) => key > after && key.startsWith("a/c")));
		}
		const [info] = await listed(store, "a/c/d");
		expect(info).toMatchObject({ key: "a/c/d", bytes: 5 });
		expect(Math.abs((info?.modifiedAt.getTime() ?? 0) - Date.now())).toBeLessThan(3_600_000);
	});

	test("lists whatever was put, in the same order as a sorted list of it", async () => {
		const name = fc.stringMatching(/^[ab0_-][ab.-]{0,2}$/);
		// One more name at the end, so that no key is the beginning of another's path.
		const key = fc.array(name, { minLength: 0, maxLength: 3 }).map((names) => [...names, "~"].join("/"));
		await fc.assert(
			fc.asyncProperty(fc.uniqueArray(key, { maxLength: 20 }), key, fc.nat(4), async (keys, after, length) => {
				await store.remove(await keysOf(store, ""));
				for (const key of keys) await store.put(key, Buffer.from(key));
				const prefix = (keys[0] ?? "").slice(0, length).replace(/(^|\/)\.+$/, "$1");
				const expected = keys.filter((key) => key.startsWith(prefix) && key > after).sort();
				expect(await keysOf(store, prefix, after)).toEqual(expected);
			}),
			{ numRuns: realBucket ? 5 : 40 },
		);
	});

	test("takes no key that could lead elsewhere", async () => {
		const bad = [
			"",
			"/a",
			"a/",
			"a//b",
			"..",
			"a/../b",
			".hidden",
			"a/.b",
			"a b",
			"ä",
			"a\\b",
			"a\0b",
			"x".repeat(513),
		];
		for (const key of [...bad, `${"y".repeat(256)}/a`, "a?b", "a%2fb", "<a>", "a\n"]) {
			expect(isKey(key)).toBe(false);
			await expect(store.put(key, Buffer.from("x"))).rejects.toMatchObject({ code: "invalid_key" });
			await expect(store.get(key)).rejects.toMatchObject({ code: "invalid_key" });
			await expect(store.head(key)).rejects.toMatchObject({ code: "invalid_key" });
			await expect(store.remove([key])).rejects.toMatchObject({ code: "invalid_key" });
		}
		await expect(keysOf(store, "../")).rejects.toMatchObject({ code: "invalid_key" });
		expect(await keysOf(store, "")).toEqual([]);
	});

	test("keeps keys of every sign that a key may have, up to the longest", async () => {
		const keys = ["aZ09._=@~-/=@~_-", `${"n".repeat(255)}/${"m".repeat(254)}/k`, "a=b/c@d"];
		for (const key of keys) await store.put(key, Buffer.from(key));
		for (const key of keys) expect((await bytesOf(store.get(key))).toString()).toBe(key);
		expect(await keysOf(store, "")).toEqual(keys.toSorted());
	});

	test("stores nothing of a body that fails, and throws the body's own error", async () => {
		await store.put("key", Buffer.from("before"));
		async function* failing() {
			yield randomBytes(partBytes + 1);
			yield randomBytes(partBytes);
			throw new Error("the disk is gone");
		}
		await expect(store.put("key", Readable.from(failing()))).rejects.toThrow("the disk is gone");
		await expect(store.put("other", Readable.from(failing()))).rejects.toThrow("the disk is gone");
		expect((await bytesOf(store.get("key"))).toString()).toBe("before");
		expect(await keysOf(store, "")).toEqual(["key"]);
		expect(await store.reclaim(0)).toBe(0);
	});

	test("stores nothing once its caller has given up", async () => {
		const giveUp = new AbortController();
		async function* body() {
			yield randomBytes(partBytes + 1);
			giveUp.abort(new Error("no longer wanted"));
			yield randomBytes(partBytes);
		}
		const { signal } = giveUp;
		await expect(store.put("key", Readable.from(body()), { signal })).rejects.toThrow("no longer wanted");
		await expect(store.put("key", Buffer.from("x"), { signal })).rejects.toThrow("no longer wanted");
		expect(await keysOf(store, "")).toEqual([]);
		expect(await store.reclaim(0)).toBe(0);
	});

	test("says what time it is by the clock that its objects' times are of", async () => {
		await store.put("clock", Buffer.from("x"));
		const now = await store.now();
		// Both tell seconds at least.
		expect(now.getTime() - ((await store.head("clock"))?.modifiedAt.getTime() ?? 0)).toBeGreaterThan(-1_001);
		expect(Math.abs(now.getTime() - Date.now())).toBeLessThan(3_600_000);
		expect(await keysOf(store, "")).toEqual(["clock"]);
		expect(await store.reclaim(0)).toBe(0);
	});

	test("lets a reader leave in the middle", async () => {
		await store.put("key", randomBytes(3_000_000));
		const body = await store.get("key");
		for await (const chunk of body) {
			expect(chunk.length).toBeGreaterThan(0);
			break;
		}
		expect(body.destroyed).toBe(true);
		const unread = await store.get("key");
		unread.destroy();
	});
});

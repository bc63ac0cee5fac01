import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VisitBatch, VisitRecord } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { shownPerSecond } from "../../src/requests/live-view.ts";
import { fileMostBytes } from "../../src/requests/request-files.ts";
import { createRequestLog, type RequestLog, type RequestNews, requestsKept } from "../../src/requests/request-log.ts";

const hourMs = 60 * 60 * 1000;
const projectId = randomUUID();

let directory: string;
let nowMs: number;
const ends: AbortController[] = [];

beforeEach(async () => {
	directory = join(await mkdtemp(join(tmpdir(), "repldock-requests-")), "requests");
	nowMs = Date.now();
});

afterEach(async () => {
	for (const end of ends.splice(0)) end.abort();
	await rm(join(directory, ".."), { recursive: true, force: true });
});

function record(path: string, values: Partial<VisitRecord> = {}): VisitRecord {
	return {
		projectId,
		atMs: nowMs,
		host: "shop.apps.test",
		method: "GET",
		path,
		status: 200,
		durationMs: 3,
		bytesIn: 100,
		bytesOut: 200,
		address: "198.18.0.1",
		protocol: "HTTP/1.1",
		answeredBy: "app",
		userAgent: null,
		open: false,
		socket: null,
		...values,
	};
}

/** An agent's log, and a way to give it what its edge tells; resolves once the log asks for more. */
function start(addressesForMs = 24 * hourMs): { log: RequestLog; tell(batch: Partial<VisitBatch>): Promise<void> } {
	let answer: ((batch: VisitBatch) => void) | undefined;
	let asked = () => {};
	let asks = new Promise<void>((resolve) => {
		asked = resolve;
	});
	const log = createRequestLog({
		edge: {
			counters: async () => ({ epoch: "1", projects: {} }),
			nextVisits: () =>
				new Promise((resolve) => {
					answer = resolve;
					asked();
				}),
		},
		directory,
		addressesForMs,
		log: createLog("requests-test", "silent"),
		now: () => nowMs,
	});
	const end = new AbortController();
	ends.push(end);
	void log.run(end.signal);
	return {
		log,
		async tell({ epoch = "1", records = [], unrecorded = {} }) {
			await asks;
			asks = new Promise((resolve) => {
				asked = resolve;
			});
			answer?.({ epoch, records, unrecorded });
			await asks;
		},
	};
}

async function paths(log: RequestLog): Promise<string[]> {
	return (await log.list(projectId, { limit: requestsKept })).requests.map(({ path }) => path);
}

test("the last requests are there again after a restart of the agent, numbered on", async () => {
	const first = start();
	await first.tell({ records: [record("/1"), record("/2")] });
	ends.pop()?.abort();
	const second = start();
	expect(await paths(second.log)).toEqual(["/2", "/1"]);
	await second.tell({ records: [record("/3")] });
	const { requests } = await second.log.list(projectId, { limit: 10 });
	expect(requests.map(({ id }) => id)).toEqual([3, 2, 1]);
});

test("files are root's alone and stay bounded, as does the list, however many requests there are", async () => {
	const { log, tell } = start();
	const long = "p".repeat(500);
	const most = Math.ceil((fileMostBytes * 3) / 700);
	for (let sent = 0; sent < most; sent += 1000) {
		await tell({ records: Array.from({ length: 1000 }, (_, index) => record(`/${sent + index}/${long}`)) });
	}
	await tell({ records: [record("/last")] });
	const names = await readdir(directory);
	expect(names.sort()).toEqual([`${projectId}.jsonl`, `${projectId}.old.jsonl`]);
	for (const name of names) {
		const { size, mode } = await stat(join(directory, name));
		expect(mode & 0o777).toBe(0o600);
		expect(size).toBeLessThan(fileMostBytes * 3);
	}
	expect((await stat(directory)).mode & 0o777).toBe(0o700);
	expect(await paths(log)).toHaveLength(requestsKept);
	ends.pop()?.abort();
	expect(await paths(start().log)).toHaveLength(requestsKept);
});

test("a line that a crash cut short costs only itself", async () => {
	const first = start();
	await first.tell({ records: [record("/1")] });
	ends.pop()?.abort();
	const { appendFile } = await import("node:fs/promises");
	await appendFile(join(directory, `${projectId}.jsonl`), '{"id":2,"atMs":1\n');
	const second = start();
	await second.tell({ records: [record("/3")] });
	expect(await paths(second.log)).toEqual(["/3", "/1"]);
});

test("addresses go when their time is over: from what is shown at once, from the files at the next look", async () => {
	const first = start();
	await first.tell({ records: [record("/old", { atMs: nowMs - 25 * hourMs }), record("/new")] });
	const { requests } = await first.log.list(projectId, { limit: 10 });
	expect(requests.map(({ address }) => address)).toEqual(["198.18.0.1", null]);
	ends.pop()?.abort();
	start();
	const file = join(directory, `${projectId}.jsonl`);
	await expect.poll(async () => (await readFile(file, "utf8")).match(/198\.18\.0\.1/g)?.length).toBe(1);
	ends.pop()?.abort();
	nowMs += 25 * hourMs;
	const third = start();
	await expect.poll(async () => readFile(file, "utf8")).not.toContain("198.18.0.1");
	expect(await paths(third.log)).toEqual(["/new", "/old"]);
});

test("addresses are never kept when the option says so", async () => {
	const { log, tell } = start(0);
	await tell({ records: [record("/1")] });
	expect((await log.list(projectId, { limit: 1 })).requests[0]?.address).toBe(null);
	expect(await readFile(join(directory, `${projectId}.jsonl`), "utf8")).not.toContain("198.18.0.1");
});

test("files of projects that nobody visits are removed in the end, and those of deleted projects at once", async () => {
	const { log, tell } = start();
	const other = randomUUID();
	await tell({ records: [record("/1"), record("/2", { projectId: other })] });
	await log.remove(other);
	expect(await readdir(directory)).toEqual([`${projectId}.jsonl`]);
	expect((await log.list(other, { limit: 10 })).requests).toEqual([]);
	const old = new Date(nowMs - 31 * 24 * hourMs);
	await utimes(join(directory, `${projectId}.jsonl`), old, old);
	start();
	await expect.poll(() => readdir(directory)).toEqual([]);
});

test("requests can be asked for by status and by class", async () => {
	const { log, tell } = start();
	await tell({ records: [200, 404, 403, 500].map((status) => record(`/${status}`, { status })) });
	const list = async (status: { status: number } | { class: number }) =>
		(await log.list(projectId, { limit: 10, status })).requests.map(({ path }) => path);
	expect(await list({ status: 404 })).toEqual(["/404"]);
	expect(await list({ class: 4 })).toEqual(["/403", "/404"]);
});

test("a viewer gets what was before, then what comes; of a flood the newest, and the number of the others", async () => {
	const { log, tell } = start();
	await tell({ records: [record("/before")] });
	const news: RequestNews[] = [];
	const end = log.follow(projectId, (latest) => news.push(latest));
	await expect.poll(() => news.length).toBe(1);
	expect(news[0]).toMatchObject({ reset: true, more: 0, requests: [{ path: "/before" }] });

	const flood = 600;
	await tell({
		records: Array.from({ length: flood }, (_, index) => record(`/${index}`)),
		unrecorded: { [projectId]: 7 },
	});
	await expect.poll(() => news.length).toBe(2);
	expect(news[1]?.requests.length).toBe(shownPerSecond);
	expect(news[1]?.requests.at(-1)?.path).toBe(`/${flood - 1}`);
	expect(news[1]?.more).toBe(flood - shownPerSecond + 7);

	end();
	await tell({ records: [record("/after")] });
	expect(news.length).toBe(2);
});

test("a WebSocket is one request from its beginning to its end, and over with the edge that had it", async () => {
	const { log, tell } = start();
	const news: RequestNews[] = [];
	const socket = (name: string, open: boolean, bytesOut = 0) =>
		record(`/${name}`, { status: 101, open, socket: name, bytesOut });
	await tell({ records: [socket("one", true), socket("two", true), record("/page")] });
	const end = log.follow(projectId, (latest) => news.push(latest));
	await expect.poll(() => news.length).toBe(1);
	expect(news[0]?.requests.map(({ id, open }) => [id, open])).toEqual([
		[1, true],
		[2, true],
		[3, false],
	]);
	await tell({ records: [socket("one", false, 5000)] });
	await expect.poll(() => news.length).toBe(2);
	expect(news[1]?.requests).toMatchObject([{ id: 1, open: false, bytesOut: 5000 }]);
	expect(await paths(log)).toEqual(["/page", "/two", "/one"]);

	await tell({ epoch: "2" });
	await expect.poll(() => news.length).toBe(3);
	expect(news[2]?.requests).toMatchObject([{ id: 2, open: false }]);
	end();
	// What never ended in order is not kept; what did stands where it began.
	const second = start();
	expect(await paths(second.log)).toEqual(["/page", "/one"]);
	await second.tell({ records: [record("/next")] });
	expect((await second.log.list(projectId, { limit: 1 })).requests[0]?.id).toBe(4);
});

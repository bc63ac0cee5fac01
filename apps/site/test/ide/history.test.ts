import type { Version, WorkspaceState } from "@repldock/protocol";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { ProblemError, problemOfResponse } from "../../src/ide/connection/problem.ts";
import { createSite } from "../../src/ide/connection/site.ts";
import { createHistory } from "../../src/ide/history/history.ts";
import { createVersionClient } from "../../src/ide/history/version-client.ts";
import { createStore } from "../../src/ide/store.ts";

type Call = { method: string; url: string; body: unknown };
type Answer = { status?: number; body: unknown };

const calls: Call[] = [];
let answer: (call: Call) => Answer | Promise<Answer>;

beforeEach(() => {
	calls.length = 0;
	vi.stubGlobal("fetch", async (url: string, init: RequestInit = {}) => {
		const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
		const call = { method: init.method ?? "GET", url, body };
		calls.push(call);
		const told = await answer(call);
		return new Response(JSON.stringify(told.body), { status: told.status ?? 200 });
	});
});
afterEach(() => vi.unstubAllGlobals());

/** As the page's own, but for the token. */
async function request(path: string, init?: RequestInit): Promise<Response> {
	const response = await fetch(`http://node.localhost/projects/p${path}`, init);
	if (!response.ok) throw new ProblemError(await problemOfResponse(response));
	return response;
}
const node = {
	request,
	read: request,
	remove: async (path: string) => void (await request(`/files?path=${path}`, { method: "DELETE" })),
};

function version(sequence: number, values: Partial<Version> = {}): Version {
	const takenAt = new Date(Date.UTC(2026, 10, 29, 12, 0, sequence)).toISOString();
	return { id: `1.${sequence}`, kind: "change", name: null, takenAt, recovered: false, current: false, ...values };
}
const versions = (...sequences: number[]) => sequences.map((sequence) => version(sequence));
const page = (list: Version[], next: string | null = null): Answer => ({ body: { versions: list, next } });
const problem = { code: "internal", status: 500, detail: "The database does not answer. Try again in a moment." };

function open(upTo: string | null = null) {
	const workspace = createStore<WorkspaceState | null>(null);
	const durable = (at: string | null) =>
		workspace.set({ durability: { upTo: at, problem: null } } as unknown as WorkspaceState);
	durable(upTo);
	const client = createVersionClient(createSite("http://site.localhost/", "p"), node);
	const history = createHistory(client, workspace);
	const ids = () => history.state.get().versions.map(({ id }) => id);
	return { history, ids, durable };
}

test("versions come page by page, and a fresh first page leaves the older ones there", async () => {
	const { history, ids } = open();
	answer = ({ url }) => (url.includes("before=1.4") ? page(versions(3, 2), "1.2") : page(versions(5, 4), "1.4"));
	await history.refresh();
	await history.older();
	expect(ids()).toEqual(["1.5", "1.4", "1.3", "1.2"]);
	expect(calls.map(({ url }) => url)).toEqual([
		"http://site.localhost/api/v1/projects/p/versions",
		"http://site.localhost/api/v1/projects/p/versions?before=1.4",
	]);
	answer = () => page(versions(6, 5), "1.5");
	await history.refresh();
	expect(ids()).toEqual(["1.6", "1.5", "1.4", "1.3", "1.2"]);
	expect(history.state.get().next).toBe("1.2");
});

test("older versions that no longer follow upon the first page are asked for anew", async () => {
	const { history, ids } = open();
	answer = ({ url }) => (url.includes("before") ? page(versions(3, 2)) : page(versions(5, 4), "1.4"));
	await history.refresh();
	await history.older();
	answer = () => page(versions(9, 8), "1.8");
	await history.refresh();
	expect(ids()).toEqual(["1.9", "1.8"]);
	expect(history.state.get().next).toBe("1.8");
});

test("an answer to the filter before is not shown under the one that is chosen", async () => {
	const { history, ids } = open();
	const late = Promise.withResolvers<Answer>();
	const named = version(2, { kind: "named", name: "Good" });
	answer = ({ url }) => (url.includes("named=1") ? page([named]) : late.promise);
	const all = history.refresh();
	history.showNamed(true);
	await vi.waitFor(() => expect(ids()).toEqual(["1.2"]));
	late.resolve(page(versions(5, 4)));
	await all;
	expect(ids()).toEqual(["1.2"]);
});

test("an outage leaves what is known in sight, says why, and ends with the next answer", async () => {
	const { history, ids } = open();
	answer = () => page(versions(1));
	await history.refresh();
	answer = () => ({ status: 500, body: problem });
	await history.refresh();
	expect(ids()).toEqual(["1.1"]);
	expect(history.state.get()).toMatchObject({ loaded: true, loading: null, problem });
	answer = () => Promise.reject(new TypeError("Failed to fetch"));
	await history.refresh();
	expect(history.state.get().problem?.detail).toContain("cannot be reached");
	answer = () => page(versions(2, 1));
	await history.refresh();
	expect(ids()).toEqual(["1.2", "1.1"]);
	expect(history.state.get().problem).toBeNull();
});

test("a checkpoint that the site has not recorded yet is asked for again until it is there", async () => {
	vi.useFakeTimers();
	onTestFinished(() => void vi.useRealTimers());
	const { history, ids, durable } = open(version(1).takenAt);
	answer = () => page(versions(1));
	const leave = history.follow();
	await vi.advanceTimersByTimeAsync(0);
	durable(version(2).takenAt);
	await vi.advanceTimersByTimeAsync(0);
	expect(ids()).toEqual(["1.1"]);
	expect(history.state.get().revision).toBe(1);
	answer = () => page(versions(2, 1));
	await vi.advanceTimersByTimeAsync(1_000);
	expect(ids()).toEqual(["1.2", "1.1"]);
	const asked = calls.length;
	await vi.advanceTimersByTimeAsync(60_000);
	expect(calls.length).toBe(asked);
	leave();
	durable(version(3).takenAt);
	await vi.advanceTimersByTimeAsync(60_000);
	expect(calls.length).toBe(asked);
});

test("a list that could not be read is asked for again by itself, until nobody looks any more", async () => {
	vi.useFakeTimers();
	onTestFinished(() => void vi.useRealTimers());
	const { history, ids } = open();
	answer = () => Promise.reject(new TypeError("Failed to fetch"));
	const leave = history.follow();
	await vi.advanceTimersByTimeAsync(0);
	expect(history.state.get().problem).not.toBeNull();
	answer = () => page(versions(1));
	await vi.advanceTimersByTimeAsync(10_000);
	expect(ids()).toEqual(["1.1"]);
	expect(history.state.get().problem).toBeNull();
	const asked = calls.length;
	await vi.advanceTimersByTimeAsync(60_000);
	expect(calls.length).toBe(asked);
	leave();
	expect(vi.getTimerCount()).toBe(0);
});

test("saving is shown until the node says that the version is durable", async () => {
	const { history, ids } = open();
	const durable = Promise.withResolvers<Answer>();
	const saved = version(7, { kind: "named", name: "Before the menu" });
	answer = ({ method }) => (method === "POST" ? durable.promise : page([saved]));
	const saving = history.save("Before the menu");
	expect(history.state.get().saving).toBe("Before the menu");
	durable.resolve({ body: saved });
	await saving;
	expect(calls[0]).toEqual({
		method: "POST",
		url: "http://node.localhost/projects/p/versions",
		body: { name: "Before the menu" },
	});
	expect(history.state.get().saving).toBeNull();
	await vi.waitFor(() => expect(ids()).toEqual(["1.7"]));
	answer = () => ({ status: 503, body: { ...problem, code: "timed_out" } });
	await expect(history.save("Again")).rejects.toThrow(problem.detail);
	expect(history.state.get().saving).toBeNull();
});

test("a name is given and taken away in place, also of the version that is looked at", async () => {
	const { history, ids } = open();
	answer = () => page(versions(2, 1));
	await history.refresh();
	history.choose(version(1));
	answer = () => ({ body: version(1, { name: "First" }) });
	await history.rename("1.1", "First");
	expect(calls.at(-1)).toEqual({
		method: "PATCH",
		url: "http://site.localhost/api/v1/projects/p/versions/1.1",
		body: { name: "First" },
	});
	expect(history.state.get().chosen?.name).toBe("First");
	answer = () => page([version(1, { name: "First" })]);
	history.showNamed(true);
	await vi.waitFor(() => expect(ids()).toEqual(["1.1"]));
	answer = () => ({ body: version(1) });
	await history.rename("1.1", null);
	expect(calls.at(-1)?.body).toEqual({ name: null });
	expect(ids()).toEqual([]);
	expect(history.state.get().chosen?.name).toBeNull();
});

test("a restore names a file or nothing, gives what undoes it, and has everything looked at anew", async () => {
	const { history } = open();
	const undo = version(9, { kind: "before-restore" });
	answer = ({ method }) => (method === "POST" ? { body: { undo } } : page([undo]));
	expect(await history.restore("1.3", "src/main.py")).toEqual(undo);
	await history.restore("1.3", null);
	const posts = calls.filter(({ method }) => method === "POST");
	expect(posts.map(({ url }) => url)).toEqual(Array(2).fill("http://node.localhost/projects/p/versions/1.3/restore"));
	expect(posts.map(({ body }) => body)).toEqual([{ path: "src/main.py" }, {}]);
	expect(history.state.get().revision).toBe(2);
	answer = () => ({ status: 507, body: { ...problem, code: "quota_exceeded" } });
	await expect(history.restore("1.3", null)).rejects.toThrow(problem.detail);
	expect(history.state.get().revision).toBe(2);
});

test("to undo the restore of a file that was not there is to remove it, and of nothing else", async () => {
	const { history } = open();
	const absent = { status: 404, body: { code: "file_not_found", status: 404, detail: "There is no such file." } };
	answer = ({ method }) => (method === "POST" ? absent : page([]));
	await history.undo(version(9), "notes.txt");
	expect(calls.filter(({ method }) => method !== "GET").map(({ method, url }) => `${method} ${url}`)).toEqual([
		"POST http://node.localhost/projects/p/versions/1.9/restore",
		"DELETE http://node.localhost/projects/p/files?path=notes.txt",
	]);
	expect(history.state.get().revision).toBe(1);
	await expect(history.undo(version(9), null)).rejects.toThrow("There is no such file.");
	answer = () => ({ status: 404, body: { code: "not_found", status: 404, detail: "The version is gone." } });
	await expect(history.undo(version(9), "notes.txt")).rejects.toThrow("The version is gone.");
	expect(calls.filter(({ method }) => method === "DELETE").length).toBe(1);
});

test("paths are asked for as they are, whatever they hold", async () => {
	const { history } = open();
	answer = () => ({ body: {} });
	await history.client.files("1.3", "a&b/ü #1");
	await history.client.content("1.3", "a&b/ü #1");
	const asked = calls.map(({ url }) => new URL(url));
	expect(asked.map(({ pathname }) => pathname)).toEqual([
		"/projects/p/versions/1.3/files",
		"/projects/p/versions/1.3/content",
	]);
	expect(asked.map(({ searchParams }) => searchParams.get("path"))).toEqual(["a&b/ü #1", "a&b/ü #1"]);
});

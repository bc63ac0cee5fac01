import type { AppRequest, WorkspaceCommand } from "@repldock/protocol";
import { expect, test } from "vitest";
import { matchesFilter } from "../../src/ide/requests/filter.ts";
import { createRequestFeed, requestsMost } from "../../src/ide/requests/request-feed.ts";
import { describeSize } from "../../src/ide/requests/words.ts";

function request(id: number, values: Partial<AppRequest> = {}): AppRequest {
	return {
		id,
		atMs: id,
		host: "shop.localhost",
		method: "GET",
		path: `/${id}`,
		status: 200,
		durationMs: 1,
		bytesIn: 1,
		bytesOut: 1,
		address: "198.18.0.1",
		protocol: "HTTP/1.1",
		answeredBy: "app",
		userAgent: "curl/8",
		open: false,
		...values,
	};
}

function start() {
	const commands: WorkspaceCommand[] = [];
	const feed = createRequestFeed((command) => commands.push(command));
	const tell = (ids: number[], { reset = false, more = 0 } = {}) =>
		feed.event({ type: "requests", requests: ids.map((id) => request(id)), more, reset });
	const ids = () => feed.state.get().requests.map(({ id }) => id);
	return { feed, commands, tell, ids };
}

test("requests are asked for while somebody looks, and again after a lost connection", () => {
	const { feed, commands } = start();
	feed.connected();
	expect(commands).toEqual([]);
	const leave = feed.follow();
	const leaveToo = feed.follow();
	feed.connected();
	leave();
	leave();
	expect(commands.map((command) => command.type === "followRequests" && command.follow)).toEqual([true, true]);
	leaveToo();
	expect(commands.at(-1)).toEqual({ type: "followRequests", follow: false });
});

test("what a new connection repeats is not shown twice, and what came meanwhile is", () => {
	const { tell, ids } = start();
	tell([1, 2], { reset: true });
	tell([3]);
	tell([1, 2, 3, 4], { reset: true });
	expect(ids()).toEqual([4, 3, 2, 1]);
});

test("a node that numbers anew shows its own history", () => {
	const { tell, ids } = start();
	tell([7, 8, 9], { reset: true });
	tell([1, 2], { reset: true });
	expect(ids()).toEqual([2, 1]);
});

test("during a pause nothing moves; what came is counted and stands there afterwards", () => {
	const { feed, tell, ids } = start();
	tell([1], { reset: true });
	feed.pause(true);
	tell([2, 3], { more: 5 });
	expect(ids()).toEqual([1]);
	expect(feed.state.get()).toMatchObject({ waiting: 7, more: 0 });
	feed.pause(false);
	expect(ids()).toEqual([3, 2, 1]);
	expect(feed.state.get()).toMatchObject({ waiting: 0, more: 5 });
});

test("what was cleared away does not come back with a new connection", () => {
	const { feed, tell, ids } = start();
	tell([1, 2], { reset: true });
	feed.clear();
	tell([1, 2, 3], { reset: true });
	expect(ids()).toEqual([3]);
});

test("a WebSocket stands there while it is open, and its end takes that place, also during a pause", () => {
	const { feed, tell, ids } = start();
	const socket = (id: number, open: boolean) =>
		feed.event({ type: "requests", requests: [request(id, { status: 101, open })], more: 0, reset: false });
	const open = () => feed.state.get().requests.flatMap((each) => (each.open ? each.id : []));
	socket(1, true);
	socket(2, true);
	tell([3]);
	expect([ids(), open()]).toEqual([
		[3, 2, 1],
		[2, 1],
	]);
	socket(1, false);
	expect([ids(), open()]).toEqual([[3, 2, 1], [2]]);
	feed.pause(true);
	socket(2, false);
	expect([ids(), open(), feed.state.get().waiting]).toEqual([[3, 2, 1], [], 0]);
});

test("a socket that ended while the page was not connected does not stay open in it", () => {
	const { feed, tell, ids } = start();
	feed.event({
		type: "requests",
		requests: [request(1, { open: true }), request(2, { open: true })],
		more: 0,
		reset: true,
	});
	feed.event({ type: "requests", requests: [request(1), request(3)], more: 0, reset: true });
	expect(ids()).toEqual([3, 1]);
	expect(feed.state.get().requests.some(({ open }) => open)).toBe(false);
	tell([4]);
	expect(ids()).toEqual([4, 3, 1]);
});

test("the list stays bounded, paused or not", () => {
	const { feed, tell, ids } = start();
	for (let first = 0; first < 3000; first += 100) {
		if (first === 1500) feed.pause(true);
		tell(Array.from({ length: 100 }, (_, index) => first + index + 1));
	}
	feed.pause(false);
	expect(ids()).toHaveLength(requestsMost);
	expect(ids()[0]).toBe(3000);
});

test("a filter finds words in any order and any field, and statuses by class", () => {
	const found = request(1, { path: "/Admin?x=1", status: 404, method: "POST" });
	expect(matchesFilter(found, "post admin", "all")).toBe(true);
	expect(matchesFilter(found, "198.18 curl", "4")).toBe(true);
	expect(matchesFilter(found, "404", "5")).toBe(false);
	expect(matchesFilter(found, "admin missing", "all")).toBe(false);
});

test("sizes are said in as many digits as matter", () => {
	expect([0, 999, 1000, 12_345, 3_400_000].map(describeSize)).toEqual(["0 B", "999 B", "1.0 kB", "12 kB", "3.4 MB"]);
});

import { once } from "node:events";
import type { RequestList, VisitRecord } from "@repldock/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayRig, nextEvent, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;

beforeAll(async () => {
	rig = await startGatewayRig();
});

afterAll(() => rig?.release());

function visited(path: string, status = 200) {
	const record: VisitRecord = {
		projectId: rig.projectId,
		atMs: Date.now(),
		host: "my-app.localhost:8080",
		method: "GET",
		path,
		status,
		durationMs: 1,
		bytesIn: 1,
		bytesOut: 1,
		address: "198.18.0.1",
		protocol: "HTTP/1.1",
		answeredBy: "app",
		userAgent: "curl",
		open: false,
		socket: null,
	};
	rig.visited({ epoch: "1", records: [record], unrecorded: {} });
}

async function follower(rights: "edit" | "view") {
	const socket = rig.socket(await rig.enter({ rights, sub: rights }));
	await once(socket, "open");
	socket.send(JSON.stringify({ type: "followRequests", follow: true }));
	return socket;
}

test("an editor who follows requests gets each as it comes, until they follow no more", async () => {
	const socket = await follower("edit");
	expect((await nextEvent(socket, "requests")).reset).toBe(true);
	const coming = nextEvent(socket, "requests");
	visited("/live");
	expect(await coming).toMatchObject({ reset: false, more: 0, requests: [{ path: "/live", address: "198.18.0.1" }] });

	const later: unknown[] = [];
	socket.send(JSON.stringify({ type: "followRequests", follow: false }));
	socket.send(JSON.stringify({ type: "ping", at: 1 }));
	await nextEvent(socket, "pong");
	socket.on("message", (data: Buffer) => later.push(JSON.parse(data.toString()).type));
	const other = await follower("edit");
	await nextEvent(other, "requests");
	const told = nextEvent(other, "requests");
	visited("/unfollowed");
	await told;
	expect(later).not.toContain("requests");
});

test("who may only look gets no visitors' addresses: nothing on the socket, and a refusal by HTTP", async () => {
	const viewer = await follower("view");
	const got: string[] = [];
	viewer.on("message", (data: Buffer) => got.push(JSON.parse(data.toString()).type));
	const editor = await follower("edit");
	await nextEvent(editor, "requests");
	const told = nextEvent(editor, "requests");
	visited("/secret");
	await told;
	viewer.send(JSON.stringify({ type: "ping", at: 1 }));
	await nextEvent(viewer, "pong");
	expect(got).not.toContain("requests");
	const token = await rig.enter({ rights: "view" });
	const answer = await rig.ask("GET", `/projects/${rig.projectId}/requests`, { token });
	expect(answer.status).toBe(403);
});

test("a program lists requests by HTTP, newest first, by number and status", async () => {
	const editor = await follower("edit");
	await nextEvent(editor, "requests");
	const told = nextEvent(editor, "requests", ({ requests }) => requests.some(({ path }) => path === "/teapot"));
	visited("/fine");
	visited("/teapot", 418);
	await told;
	const list = async (query: string) =>
		((await rig.project("GET", `/requests${query}`)).json() as RequestList).requests.map(({ path }) => path);
	expect((await list("?limit=2")).slice(0, 2)).toEqual(["/teapot", "/fine"]);
	expect(await list("?status=418")).toEqual(["/teapot"]);
	expect(await list("?status=4xx")).toEqual(["/teapot"]);
	expect((await rig.project("GET", "/requests?status=abc")).status).toBe(400);
	expect((await rig.project("GET", "/requests?limit=100000")).status).toBe(400);
});
